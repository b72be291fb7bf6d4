import type { RateLimit } from '../policy/index.ts';
import { waitMs } from './gcra.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createMemoryStore } from './stores/memory.ts';

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

export interface LimiterOptions {
  /** Counters held at most. About 200 bytes each. */
  readonly maxKeys: number;
}

/** Limits in the memory of this process. */
export function createLimiter({ maxKeys }: LimiterOptions): Limiter {
  const ledger = createLedger(createMemoryStore(maxKeys));
  return {
    admit(demands, now) {
      const ticks = ledger.begin(demands.length, now);
      const refusing = slowest(ledger, demands, ticks);
      if (refusing !== null) return refusalOf(refusing);
      for (const demand of demands) ledger.charge(demand, ticks);
      return admitted;
    },
    size: () => ledger.size(),
  };
}

const admitted: LimitVerdict = Object.freeze({ admitted: true });

interface Refusing {
  readonly demand: LimitDemand;
  readonly wait: number;
}

/** Of the layers that refuse, the one that refuses longest: after its wait none of the others refuses either. */
function slowest(ledger: Ledger, demands: readonly LimitDemand[], now: number): Refusing | null {
  let refusing: Refusing | null = null;
  for (const demand of demands) {
    const wait = ledger.wait(demand, now);
    if (wait !== 0 && !(refusing !== null && wait <= refusing.wait)) refusing = { demand, wait };
  }
  return refusing;
}

export function refusalOf({ demand, wait }: Refusing): Extract<LimitVerdict, { admitted: false }> {
  return {
    admitted: false,
    layer: demand.layer,
    retryAfterMs: waitMs(wait),
    limit: demand.limit.count,
    remaining: 0,
  };
}
