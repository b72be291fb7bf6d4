import type { RateLimit } from '../policy/index.ts';

/** One ceiling that a call has to pass. */
export interface LimitDemand {
  /** Named in the refusal: `client`, `tool`, `organization`. */
  readonly layer: 'client' | 'tool' | 'organization' | 'address';
  /** Counter name. Unambiguous over all layers; never a token. */
  readonly key: string;
  readonly limit: RateLimit;
}

export type LimitVerdict =
  | { readonly admitted: true }
  | {
      readonly admitted: false;
      readonly layer: LimitDemand['layer'];
      /** A call after this many milliseconds is admitted if nobody else calls; one before is not. At least 1. */
      readonly retryAfterMs: number;
      readonly limit: number;
      readonly remaining: number;
    };

/**
 * Decides over all layers together: either every layer is charged, or none.
 * Memory: bounded (`maxKeys`); a key that could still refuse is never evicted before one that could not.
 */
export interface Limiter {
  /** `now`: milliseconds of a monotonic clock. */
  admit(demands: readonly LimitDemand[], now: number): LimitVerdict;
  /** Number of keys held. */
  size(): number;
}
