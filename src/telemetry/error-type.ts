import type { EndedCall } from './call.ts';

/** JSON-RPC's, and MCP's of all revisions. Others are the upstream's invention, and could be as many as it likes. */
const knownCodes: ReadonlySet<number> = new Set([
  -32700, -32600, -32601, -32602, -32603, -32000, -32001, -32002, -32020, -32021, -32022, -32042,
]);

/**
 * `error.type` as the conventions for MCP have it: the JSON-RPC code, `tool_error`, or the gateway's own reason. From a closed list;
 * null for a success.
 */
export function errorTypeOf({ result, reason, rpcCode }: EndedCall): string | null {
  if (result === 'success') return null;
  if (rpcCode === null) return reason;
  if (reason !== 'rpc_error') return String(rpcCode); // the gateway's own answer
  return knownCodes.has(rpcCode) ? String(rpcCode) : '_OTHER';
}
