import type { StoreDown } from '../config/index.ts';
import type { RateLimit } from '../policy/index.ts';
import { leftAfter, type Pace, paceOf, ticksPerMs, waitMs } from './gcra.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createMemoryStore } from './stores/memory.ts';

export type LimitLayer = 'client' | 'tool' | 'tool_total' | 'organization' | 'address';

/** One ceiling that a call has to pass. */
export interface LimitDemand {
  /** Named in the refusal. */
  readonly layer: LimitLayer;
  /** Counter name. Unambiguous over all layers; never a token, and nothing that says who it is. */
  readonly key: string;
  readonly limit: RateLimit;
  /** Counters of one partition are kept together where a store is spread over machines. */
  readonly partition?: string;
  /** Whether its layer has a rate for another unit of time too. */
  readonly isOneOfSeveral?: boolean;
}

export type LimitVerdict = Admitted | LimitRefused | StoreDownRefused;

export interface Admitted {
  readonly admitted: true;
  /** The caller's own ceiling with the fewest calls left; null where none is the caller's own. */
  readonly tightest: Allowance | null;
}

/** How much of one ceiling is left. */
export interface Allowance {
  readonly demand: LimitDemand;
  /** Calls that would be admitted now. */
  readonly remaining: number;
  /** Until one more than that. */
  readonly moreInMs: number;
}

export interface LimitRefused {
  readonly admitted: false;
  readonly layer: LimitLayer;
  /** A call after this many milliseconds is admitted if nobody else calls; one before is not. At least 1. */
  readonly retryAfterMs: number;
  readonly limit: number;
  readonly remaining: number;
  readonly demand: LimitDemand;
}

/** The shared counters cannot be reached, and the call is none that may go on without them. */
export interface StoreDownRefused {
  readonly admitted: false;
  readonly layer: 'store';
  readonly retryAfterMs: number;
}

/**
 * Decides over all layers together: either every layer is charged, or none.
 * Memory: bounded (`maxKeys`); a key that could still refuse is never evicted before one that could not.
 */
export interface Limiter {
  /**
   * @param now milliseconds of a monotonic clock
   * @param whenDown what happens to the call while shared counters cannot be reached; `closed` unless given
   * @returns at once wherever the counters are in this process
   */
  admit(
    demands: readonly LimitDemand[],
    now: number,
    whenDown?: StoreDown,
  ): LimitVerdict | Promise<LimitVerdict>;
  /** Number of keys held in this process. */
  size(): number;
}

export interface LimiterOptions {
  /** Counters held at most. Under 200 bytes each. */
  readonly maxKeys: number;
}

/** Counters in the memory of this process. */
export interface MemoryLimiter extends Limiter {
  admit(demands: readonly LimitDemand[], now: number): Admitted | LimitRefused;
  /** What `admit` would say, without charging; null: it would admit. */
  refusing(demands: readonly LimitDemand[], now: number): LimitRefused | null;
  /** Charges a call that was admitted elsewhere. */
  charge(demands: readonly LimitDemand[], now: number): void;
  readonly ledger: Ledger;
}

export function createLimiter({ maxKeys }: LimiterOptions): MemoryLimiter {
  const ledger = createLedger(createMemoryStore(maxKeys));
  return {
    admit(demands, now) {
      const ticks = ledger.begin(demands.length, now);
      const refusing = slowest(ledger, demands, ticks);
      if (refusing !== null) return refusalOf(refusing);
      return { admitted: true, tightest: chargeAll(ledger, demands, ticks) };
    },
    refusing(demands, now) {
      const refusing = slowest(ledger, demands, ledger.begin(0, now));
      return refusing && refusalOf(refusing);
    },
    charge(demands, now) {
      chargeAll(ledger, demands, ledger.begin(demands.length, now));
    },
    size: () => ledger.size(),
    ledger,
  };
}

/**
 * Of others' calls nothing is told: what is left to an organization, or of a tool's total, would say how much they do.
 */
export function isOwn({ layer }: LimitDemand): boolean {
  return layer === 'client' || layer === 'tool';
}

function chargeAll(ledger: Ledger, demands: readonly LimitDemand[], now: number): Allowance | null {
  let tightest: LimitDemand | null = null;
  let ahead = 0;
  let fewest = Number.POSITIVE_INFINITY;
  for (const demand of demands) {
    const tat = ledger.charge(demand, now);
    if (!isOwn(demand)) continue;
    const left = leftAfter(tat - now, paceOf(demand.limit));
    if (left < fewest) [tightest, ahead, fewest] = [demand, tat - now, left];
  }
  return tightest && allowanceOf(tightest, { ahead, pace: paceOf(tightest.limit), perMs: ticksPerMs });
}

/** @param state how far the counter's arrival time lies ahead after the call, in units of which `perMs` are a millisecond */
export function allowanceOf(
  demand: LimitDemand,
  { ahead, pace, perMs }: { readonly ahead: number; readonly pace: Pace; readonly perMs: number },
): Allowance {
  const remaining = leftAfter(ahead, pace);
  const moreInMs = Math.max(0, ahead - pace.tolerance + remaining * pace.interval) / perMs;
  return { demand, remaining, moreInMs };
}

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

export function refusalOf({ demand, wait }: Refusing): LimitRefused {
  return refusedFor(demand, waitMs(wait));
}

export function refusedFor(demand: LimitDemand, retryAfterMs: number): LimitRefused {
  const { layer, limit } = demand;
  return { admitted: false, layer, retryAfterMs, limit: limit.count, remaining: 0, demand };
}
