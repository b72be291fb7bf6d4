/** Scopes as a token states them. Attacker-influenced: a client may have asked for any string. */
export type Granted = ReadonlySet<string> | readonly string[];

export const toolsRead = 'mcp:tools:read';
export const toolsWrite = 'mcp:tools:write';
const toolsAdmin = 'mcp:tools:admin';
export const resourcesRead = 'mcp:resources:read';
export const promptsRead = 'mcp:prompts:read';

/** What tokens can be asked for even where no rule names it: a hierarchy needs its top. */
export const builtInScopes: readonly string[] = [toolsRead, toolsWrite, toolsAdmin, resourcesRead];

/** The scopes with a meaning of their own, narrow before broad: the order of every list of scopes we send. */
export const standardScopes: readonly string[] = [
  toolsRead,
  toolsWrite,
  toolsAdmin,
  resourcesRead,
  promptsRead,
];

/** Scope → what else satisfies it. MCP authorization, "Step-Up Authorization Flow": hierarchies MUST be honoured. */
const impliedBy: ReadonlyMap<string, readonly string[]> = new Map([
  [toolsRead, [toolsWrite, toolsAdmin]],
  [toolsWrite, [toolsAdmin]],
]);

/** Whether the grant covers every required scope, with admin ⊃ write ⊃ read for tools. */
export function satisfies(granted: Granted, required: readonly string[]): boolean {
  for (const scope of required) {
    if (!covers(granted, scope)) return false;
  }
  return true;
}

/**
 * Scopes that the next token should hold: those granted already, then the missing ones. Older clients replace their
 * scope by the challenge, so a challenge with the missing ones alone would take away what they had.
 * A granted scope that is not `known` is left out: a challenge repeats no string that a caller chose.
 * @param known every scope that may be echoed, in the order to name them
 */
export function challengeScopes(
  granted: Granted,
  required: readonly string[],
  known: readonly string[] = standardScopes,
): string[] {
  const scopes = new Set(known.filter((scope) => holds(granted, scope)));
  for (const scope of required) {
    if (!covers(granted, scope)) scopes.add(scope);
  }
  return [...scopes];
}

function covers(granted: Granted, scope: string): boolean {
  if (holds(granted, scope)) return true;
  const broader = impliedBy.get(scope);
  return broader?.some((candidate) => holds(granted, candidate)) ?? false;
}

function holds(granted: Granted, scope: string): boolean {
  return 'has' in granted ? granted.has(scope) : granted.includes(scope);
}

/** What each scope lets a client do, in words for the consent page. */
export const scopeDescriptions: ReadonlyMap<string, string> = new Map([
  [toolsRead, 'See the list of tools and call tools that only read'],
  [toolsWrite, 'Call tools that change things'],
  [toolsAdmin, 'Call every tool, including those kept for administrators'],
  [resourcesRead, 'Read the resources that the server offers'],
  [promptsRead, 'Use the prompts that the server offers'],
]);

/** A sentence for any scope. Plain text: whoever puts it on a page escapes it. */
export function describeScope(scope: string): string {
  return scopeDescriptions.get(scope) ?? `Use what this server protects with the scope "${scope}"`;
}
