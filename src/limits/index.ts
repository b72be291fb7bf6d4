export { addressGroup } from './address.ts';
export { type Concurrency, type ConcurrencyVerdict, createConcurrency } from './concurrency.ts';
export { createFloodGuard, type FloodGuard, type FloodGuardOptions } from './flood.ts';
export { type LimitedCall, limitDemands } from './keys.ts';
export {
  createLimiter,
  type LimitDemand,
  type Limiter,
  type LimiterOptions,
  type LimitVerdict,
} from './limiter.ts';
export { retryAfterHeader } from './retry-after.ts';
