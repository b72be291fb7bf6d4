import type { LimitDemand } from '../../src/limits/index.ts';
import type { RateLimit } from '../../src/policy/index.ts';

export function limitOf(count: number, periodMs: number, burst = count): RateLimit {
  return { count, periodMs, burst };
}

export function demandOf(layer: LimitDemand['layer'], key: string, limit: RateLimit): LimitDemand {
  return { layer, key: `${layer}:${key}`, limit };
}
