import { isObject, type JsonObject } from '../protocol/index.ts';

/** What a caller has to hold for one tool, as policy decides it. */
export interface ToolSecurity {
  readonly scopes: readonly string[];
  /** The caller does not hold them yet. */
  readonly locked: boolean;
}

/**
 * A listed tool with the scopes that a call needs (`securitySchemes` of the OpenAI Apps SDK: ChatGPT steps up by it, and
 * asks in circles without). Older clients read it below `_meta`. What the upstream says there itself is replaced: it does
 * not decide who may call. A locked tool says so in words too, for models whose client shows no schemes.
 */
export function withSecurity(tool: JsonObject, { scopes, locked }: ToolSecurity): JsonObject {
  const securitySchemes = [{ type: 'oauth2', scopes: [...scopes] }];
  const meta = isObject(tool['_meta']) ? tool['_meta'] : {};
  return {
    ...tool,
    ...(locked ? { description: describeLock(tool['description'], scopes) } : {}),
    securitySchemes,
    _meta: { ...meta, securitySchemes },
  };
}

function describeLock(description: unknown, scopes: readonly string[]): string {
  const lock = `Locked: needs the scope ${scopes.join(' ')}, which this sign-in does not hold.`;
  return typeof description === 'string' && description !== '' ? `${description}\n\n${lock}` : lock;
}
