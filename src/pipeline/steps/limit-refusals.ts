import { type Refusal, type RefusalCode, refuse } from '../../base/index.ts';
import type { LimitsConfig } from '../../config/index.ts';
import { type LimitDemand, type LimitRefused, policyName } from '../../limits/index.ts';

// What the limit step says when it refuses. Each names the layer and when to come back.

type Layer = LimitRefused['layer'];

const codes = {
  client: 'limit_client',
  tool: 'limit_tool',
  tool_total: 'limit_tool',
  organization: 'limit_organization',
  address: 'limit_address',
} as const satisfies Record<Layer, RefusalCode>;

const names: Readonly<Record<Layer, string>> = {
  client: 'client',
  tool: 'tool',
  tool_total: 'tool, for all callers together,',
  organization: 'organization',
  address: 'address',
};

/** @param retryAfterMs the limit's own wait, or a longer one */
export function overLimit({ layer, limit, remaining, demand }: LimitRefused, retryAfterMs: number): Refusal {
  const { count, periodMs } = demand.limit;
  return refuse(codes[layer], `The rate limit of this ${names[layer]} is reached`, {
    limit: { layer, retryAfterMs, limit, remaining },
    detail: `${policyName(demand)}: ${count} in ${periodMs} ms, free in ${retryAfterMs} ms`,
  });
}

export function heldBack(
  layer: 'client' | 'tool',
  retryAfterMs: number,
  demand: LimitDemand | undefined,
): Refusal {
  return refuse(codes[layer], 'Too many calls that were refused before: keep still until the time is over', {
    limit: { layer, retryAfterMs, limit: demand?.limit.count ?? 0, remaining: 0 },
    detail: `held back for calling on after refusals, free in ${retryAfterMs} ms`,
  });
}

/** Read by the model: it has to do something else, and waiting alone is no way out. */
export function looping(
  tool: string,
  loop: NonNullable<LimitsConfig['loop']>,
  retryAfterMs: number,
): Refusal {
  const { identical, withinMs } = loop;
  const times = `${identical} times within ${Math.round(withinMs / 1000)} s`;
  return refuse(
    'limit_loop',
    `This looks like a loop: the same call with the same arguments was made ${times}. It was not executed. Do not repeat it: change the arguments, use what earlier calls gave, or stop`,
    {
      limit: { layer: 'loop', retryAfterMs, limit: identical, remaining: 0 },
      detail: `${tool}: ${times}`,
    },
  );
}

export function withoutCounters(retryAfterMs: number): Refusal {
  return refuse('limits_unavailable', 'The limits of this call cannot be checked at the moment', {
    limit: { layer: 'store', retryAfterMs, limit: 0, remaining: 0 },
    detail: 'the shared counters cannot be reached, and limits.whenStoreIsDown says closed',
  });
}

export function crowded(place: { readonly layer: string; readonly limit: number }): Refusal {
  return refuse('limit_concurrency', 'Too many calls at once', {
    limit: { layer: `concurrent_${place.layer}`, retryAfterMs: 1000, limit: place.limit, remaining: 0 },
  });
}
