export type { LimitDemand, Limiter, LimitVerdict } from './limiter.ts';
