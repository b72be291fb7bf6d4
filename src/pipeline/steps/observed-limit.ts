import type { Refusal } from '../../base/index.ts';
import type { AdmittedCall, AuthorizedCall } from '../call.ts';
import { enforce } from '../observe.ts';

/**
 * A call over its limit, where limits are only observed: it goes on, holds no place, and its answer says nothing of what is left.
 * The places of streams are the gateway's own memory: those stay in force.
 */
export function admitObserved(call: AuthorizedCall, refusal: Refusal): AdmittedCall | Refusal {
  const isStream = call.httpMethod === 'GET' || call.operation.kind === 'listen';
  if (isStream && refusal.code === 'limit_concurrency') return refusal;
  const refused = enforce(call, 'limits', refusal);
  if (refused) return refused;
  return Object.assign(call, { release: () => {}, rateLimit: {} }) as AuthorizedCall as AdmittedCall;
}
