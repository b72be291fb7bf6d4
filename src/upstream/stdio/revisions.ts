import type { Era } from '../../protocol/index.ts';

export const modernRevision = '2026-07-28';
export const latestLegacyRevision = '2025-11-25';
/** Revisions that have both sessions and Streamable HTTP. */
export const legacyRevisions: readonly string[] = ['2025-03-26', '2025-06-18', '2025-11-25'];

/** Reserved keys of `_meta` (2026-07-28 basic, section General fields). */
export const metaKeys = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
} as const;

/** Results that must carry `ttlMs` and `cacheScope` (2026-07-28 server/utilities/caching). */
export const cacheableMethods: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** Of earlier revisions only. A modern client has no use for them, and some would change a child for everybody. */
export const legacyOnlyMethods: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

export const modernOnlyMethods: ReadonlySet<string> = new Set(['server/discover', 'subscriptions/listen']);

export function isModern(revision: string): boolean {
  return revision >= modernRevision;
}

/** HTTP status of a JSON-RPC error, as the official SDK's `createMcpHandler` chooses it. */
export function statusOfError(era: Era, code: unknown): number {
  if (era === 'legacy') return 200;
  if (code === -32601) return 404;
  const rejected = [-32700, -32600, -32020, -32021, -32022];
  return typeof code === 'number' && rejected.includes(code) ? 400 : 200;
}
