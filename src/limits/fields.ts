import type { RateLimit } from '../policy/index.ts';
import { type Allowance, isOwn, type LimitDemand } from './limiter.ts';

// RateLimit and RateLimit-Policy, draft-ietf-httpapi-ratelimit-headers-11. Both are lists of strings with parameters
// (RFC 9651): `"client";q=600;w=60` is a policy of 600 requests a minute, `"client";r=599;t=1` says that 599 are left and that
// none is added for less than a second.

const units: Readonly<Record<number, string>> = {
  1000: 'second',
  60000: 'minute',
  3600000: 'hour',
  86400000: 'day',
};

/** `client`, or `client-day` where the layer has several. */
export function policyName({ layer, limit, isOneOfSeveral }: LimitDemand): string {
  const name = layer.replace('_', '-');
  return isOneOfSeveral ? `${name}-${units[limit.periodMs] ?? limit.periodMs}` : name;
}

/**
 * What to tell about the ceilings of a call. Only the caller's own are told, and of others' the one that refused.
 * @param allowance of the ceiling that a client should look at
 */
export function rateLimitFields(
  demands: readonly LimitDemand[],
  allowance: Allowance | null,
): Record<string, string> {
  if (allowance === null) return {};
  const told = demands.filter((demand) => isOwn(demand) || demand === allowance.demand);
  const { demand, remaining, moreInMs } = allowance;
  return {
    'ratelimit-policy': told.map((one) => `"${policyName(one)}"${parametersOf(one.limit)}`).join(', '),
    ratelimit: `"${policyName(demand)}";r=${remaining};t=${Math.ceil(moreInMs / 1000)}`,
  };
}

/** The quota is what may come at once where a burst says less than the rate; a client that knows no bursts is safe with it. */
function parametersOf({ count, periodMs, burst }: RateLimit): string {
  return `;q=${count};w=${Math.max(1, Math.round(periodMs / 1000))}${burst === count ? '' : `;portcullis-burst=${burst}`}`;
}
