import type { Clock } from '../../base/index.ts';
import type { StoreDown } from '../../config/index.ts';
import type { LimitDemand, Limiter, LimitVerdict, MemoryLimiter } from '../limiter.ts';

/** Counters outside of this process: they can be away, and slow. */
export interface RemoteCounters {
  /** Named in events: `redis`, `keeper`. */
  readonly name: string;
  isReady(): boolean;
  /** Whether they are those of `local` after all. */
  isHere(): boolean;
  /** Answers at once where it holds calls that were taken before. Rejects within a bounded time. */
  admit(demands: readonly LimitDemand[], now: number): LimitVerdict | Promise<LimitVerdict>;
  /** Rejects while decisions cannot be had. */
  probe(): Promise<void>;
}

export interface SharedLimiterOptions {
  readonly remote: RemoteCounters;
  /** Learns all that this process admits, and decides while the remote ones are away. */
  readonly local: MemoryLimiter;
  readonly clock: Clock;
  readonly onDown: (state: { readonly store: string; readonly detail: string }) => void;
  readonly onRecovered: (state: Outage) => void;
}

export interface Outage {
  readonly store: string;
  readonly seconds: number;
  /** Calls decided by this process alone meanwhile, and calls refused because of it. */
  readonly local: number;
  readonly refused: number;
}

/** One that is slow once may have been busy; two in a row are trouble. */
const timeoutsToOpen = 2;
const probeEveryMs = 250;
const retryAfterMs = 1_000;

/**
 * Decides by the remote counters, and by `whenDown` while those are away. A call that finds them silent waits for the
 * one time-out of its question; as soon as they are known to be away nobody waits any more. One probe at a time, at uneven
 * intervals, finds out when they are back: the calls of a busy gateway do not.
 *
 * Whatever is admitted is charged in this process too. So local counting starts where this process stood, and what it
 * admitted during an outage, or before a store came back empty, is not given a second time.
 */
export function createSharedLimiter(options: SharedLimiterOptions): Limiter & { close(): void } {
  const { remote, local, clock } = options;
  let outage: { readonly since: number; local: number; refused: number } | null = null;
  let timeouts = 0;
  let longestMs = 0;
  /** Until then this process's own counters have a say too. */
  let doubtUntil = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  function goDown(detail: string): void {
    if (outage !== null) return;
    outage = { since: clock.monotonic(), local: 0, refused: 0 };
    options.onDown({ store: remote.name, detail });
    probeLater();
  }

  function recover(): void {
    if (outage === null) return;
    const now = clock.monotonic();
    const { since, local: decided, refused } = outage;
    const seconds = Math.round((now - since) / 100) / 10;
    outage = null;
    timeouts = 0;
    doubtUntil = now + longestMs;
    options.onRecovered({ store: remote.name, seconds, local: decided, refused });
  }

  function probeLater(): void {
    timer = setTimeout(() => void probe(), probeEveryMs * (0.5 + Math.random()));
    timer.unref();
  }

  async function probe(): Promise<void> {
    try {
      if (!remote.isReady()) throw new Error('no connection');
      await remote.probe();
      recover();
    } catch {
      probeLater();
    }
  }

  function failed(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    timeouts += 1;
    if (!/timed out/i.test(detail) || timeouts >= timeoutsToOpen) goDown(detail);
  }

  function without(demands: readonly LimitDemand[], now: number, whenDown: StoreDown): LimitVerdict {
    if (whenDown === 'closed') {
      if (outage) outage.refused += 1;
      return { admitted: false, layer: 'store', retryAfterMs };
    }
    if (outage) outage.local += 1;
    return local.admit(demands, now);
  }

  function settle(verdict: LimitVerdict, demands: readonly LimitDemand[], now: number): LimitVerdict {
    timeouts = 0;
    if (verdict.admitted && !remote.isHere()) local.charge(demands, now);
    return verdict;
  }

  return {
    admit(demands, now, whenDown = 'closed') {
      for (const { limit } of demands)
        longestMs = Math.max(longestMs, (limit.periodMs / limit.count) * limit.burst);
      if (outage === null && !remote.isReady()) goDown('no connection');
      if (outage !== null) return without(demands, now, whenDown);
      const doubt = now < doubtUntil && !remote.isHere() ? local.refusing(demands, now) : null;
      if (doubt !== null) return doubt;
      const verdict = remote.admit(demands, now);
      if (!(verdict instanceof Promise)) return settle(verdict, demands, now);
      return verdict.then(
        (late) => settle(late, demands, now),
        (error: unknown) => {
          failed(error);
          return without(demands, now, whenDown);
        },
      );
    },
    size: () => local.size(),
    close: () => clearTimeout(timer),
  };
}
