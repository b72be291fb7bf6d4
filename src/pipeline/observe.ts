import type { Refusal } from '../base/index.ts';
import type { Layer } from '../config/index.ts';
import type { ReceivedCall } from './call.ts';

/**
 * A control's refusal, where the control is in force. Where it is only observed, the record says what would have been, and the call
 * goes on. What is observed follows from the configuration alone: nothing that a caller sends is looked at.
 *
 * @returns null when the call goes on
 */
export function enforce(call: ReceivedCall, layer: Layer, refusal: Refusal): Refusal | null {
  if (!call.server.observed.has(layer)) return refusal;
  noteWouldDeny(call, layer, refusal);
  return null;
}

const maxEntries = 16;

export function noteWouldDeny(call: ReceivedCall, layer: Layer | 'authentication', { code }: Refusal): void {
  const before = call.noted.would_deny ?? [];
  const decision = 'decision' in call ? (call.decision as { rule?: string } | null) : null;
  const rule = layer === 'authentication' ? null : (decision?.rule ?? null);
  if (before.length < maxEntries) call.noted.would_deny = [...before, { layer, reason: code, rule }];
}
