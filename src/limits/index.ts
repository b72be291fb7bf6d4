export { addressGroup } from './address.ts';
export { type Concurrency, type ConcurrencyVerdict, createConcurrency } from './concurrency.ts';
export { policyName, rateLimitFields } from './fields.ts';
export { createFloodGuard, type FloodGuard, type FloodGuardOptions } from './flood.ts';
export { joinKeeper, type Keeper, type KeeperOptions } from './keeper/index.ts';
export { type LimitedCall, limitDemands } from './keys.ts';
export {
  type Allowance,
  createLimiter,
  type LimitDemand,
  type Limiter,
  type LimiterOptions,
  type LimitRefused,
  type LimitVerdict,
  type MemoryLimiter,
} from './limiter.ts';
export { createLoopGuard, type LoopGuard, type LoopOptions, type LoopVerdict } from './loop.ts';
export { createPenalties, type Penalties } from './penalty.ts';
export { retryAfterHeader } from './retry-after.ts';
export {
  createSharedLimiter,
  type Outage,
  type RemoteCounters,
  type SharedLimiterOptions,
} from './shared/limiter.ts';
export { createLeases, type LeaseOptions } from './stores/leases.ts';
export { createRedisCounters, type RedisCounters } from './stores/redis.ts';
