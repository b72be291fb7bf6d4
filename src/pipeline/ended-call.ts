import type { AuditRecord } from '../audit/index.ts';
import type { CallTrace, EndedCall } from '../telemetry/index.ts';
import type { Ending, KnownCall } from './call-record.ts';
import { isKnownMethod } from './operation.ts';

/** Longer names are their server's affair: in telemetry they are `other`. */
const longestTool = 128;

/** What telemetry may know of a call: no argument, no token, nobody's name, and no word of a caller's own making. */
export function endedCall({
  call,
  record,
  ending,
  trace,
}: {
  readonly call: KnownCall;
  readonly record: AuditRecord;
  readonly ending: Ending;
  readonly trace: CallTrace;
}): EndedCall {
  const totalMs = record.latency_ms ?? 0;
  const upstreamMs = record.latency_upstream_ms ?? null;
  return {
    trace,
    requestId: call.requestId,
    server: call.server.name,
    method: methodOf(call),
    tool: toolOf(call),
    protocolVersion: call.revision ?? null,
    rpcId: record.jsonrpc_id ?? null,
    result: ending.result,
    reason: ending.reason,
    rpcCode: ending.rpcCode ?? null,
    httpStatus: ending.status,
    limitLayer: record.limit_layer ?? null,
    wouldDeny: (record.would_deny ?? []).map(({ layer }) => layer),
    startedAt: call.receivedAt,
    totalMs,
    leftAfterMs: upstreamMs === null ? null : Math.max(0, totalMs - upstreamMs),
    upstreamMs,
  };
}

function methodOf({ message }: KnownCall): string | null {
  if (!message || message.kind === 'response') return null;
  return isKnownMethod(message.method) ? message.method : 'other';
}

function toolOf({ operation, server }: KnownCall): string | null {
  if (operation?.kind !== 'tool') return null;
  const { name } = operation;
  return name.length <= longestTool && server.catalog.has(name) ? name : 'other';
}
