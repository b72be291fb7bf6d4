import type { Captured } from '../audit/index.ts';
import type { Refusal, RefusalCode } from '../base/index.ts';
import type { ToolCapture } from '../policy/index.ts';
import type { KnownCall } from './call-record.ts';

/** What is no call to a tool. */
export const nothingCaptured: Captured = { arguments_hash: null };

/**
 * Refusals of a caller who is known, for a tool that the caller knows of: what was tried is evidence, and kept as a call would be. All
 * others keep a hash at most: strangers would else fill the log and have us encrypt for them, so would who floods, and the time
 * that it takes would tell a hidden tool from one that is not there.
 */
const keptAsCalls: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'scope_missing',
  'policy_denied',
  'policy_undecided',
  'tool_quarantined',
  'arguments_invalid',
  'arguments_unchecked',
  'header_mismatch',
  'stopped',
  'confirmation_unavailable',
]);

export function captureOfRefused(call: KnownCall, { code }: Refusal): ToolCapture | undefined {
  const { principal, decision, capture } = call;
  const known = decision && (decision.allow || decision.known);
  return principal && known && capture && keptAsCalls.has(code) ? capture : leastCapture(call);
}

/** By the name that was sent alone. */
export function leastCapture({ operation, server }: KnownCall): ToolCapture | undefined {
  return operation?.kind === 'tool' ? server.policy.leastCapture(operation.name) : undefined;
}
