import { type Refusal, refuse } from '../base/index.ts';
import type { Era, JsonObject, Message } from './message.ts';
import { isObject } from './parse.ts';

/** Revisions with per-request metadata (MCP 2026-07-28, basic/versioning). */
export const modernRevisions: readonly string[] = ['2026-07-28'];
/** Revisions with an `initialize` handshake and sessions. */
export const legacyRevisions: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26'];

/** What a request without `MCP-Protocol-Version` speaks (2025-11-25 basic/transports). */
const assumedRevision = '2025-03-26';

export const metaKeys = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

export interface Dialect {
  readonly era: Era;
  readonly revision: string;
}

/**
 * The era is what the `MCP-Protocol-Version` header says; without it, `initialize` says legacy. Modern `_meta` keys under a
 * legacy header are just unknown keys (ChatGPT sends them); modern `_meta` without the header is a modern request that lacks
 * a required header.
 *
 * @param header the header's value, attacker-controlled
 */
export function dialectOf(header: string | undefined, message: Message | null): Dialect | Refusal {
  if (header !== undefined) {
    if (modernRevisions.includes(header)) return { era: 'modern', revision: header };
    if (legacyRevisions.includes(header)) return { era: 'legacy', revision: header };
    return unsupported(header);
  }
  const declared = message && message.kind !== 'response' ? declaredVersion(message.params) : undefined;
  if (declared === undefined || isInitialize(message)) return { era: 'legacy', revision: assumedRevision };
  if (modernRevisions.includes(declared)) {
    return refuse('header_mismatch', 'Header mismatch: the MCP-Protocol-Version header is missing');
  }
  return legacyRevisions.includes(declared) ? { era: 'legacy', revision: declared } : unsupported(declared);
}

/** `_meta["io.modelcontextprotocol/protocolVersion"]`, if it is a string. */
export function declaredVersion(params: JsonObject): string | undefined {
  const meta = params['_meta'];
  const version = isObject(meta) ? meta[metaKeys.protocolVersion] : undefined;
  return typeof version === 'string' ? version : undefined;
}

function isInitialize(message: Message | null): boolean {
  return message?.kind === 'request' && message.method === 'initialize';
}

/** Names what can be asked for in this way: the others are agreed on by `initialize`. */
function unsupported(requested: string): Refusal {
  return refuse('unsupported_version', 'Unsupported protocol version', {
    data: { supported: modernRevisions, requested: requested.slice(0, 64) },
  });
}
