import type { Clock } from '../../base/index.ts';
import type { Allowance, LimitDemand, LimitVerdict } from '../limiter.ts';
import { isOwn } from '../limiter.ts';
import type { RemoteCounters } from '../shared/limiter.ts';
import type { RedisCounters } from './redis.ts';

/**
 * Takes several calls of a counter at once and hands them out here, so that most calls ask nobody. All that is handed
 * out was charged before: never more calls than the limit are paid for. What is lost is accuracy in time: calls held here are
 * missing elsewhere, and may be made up to a lease's life after they were paid for. A lease holds at most a
 * twentieth of the burst; where that is less than two calls the counter is asked each time.
 */
export interface LeaseOptions {
  /** Calls in one lease at most. */
  readonly most: number;
  readonly clock: Clock;
}

interface Lease {
  calls: number;
  /** How many to take next: grows while leases are used up, halves when one runs out unused. */
  size: number;
  /** Calls that waited for the running question. */
  waited: number;
  expires: number;
  /** Left in the store when it was last asked. */
  behind: number;
  /** The question that fills it. */
  filling: Promise<void> | null;
}

const shareOfBurst = 20;
const lifeMs = 1_000;
const sweepMs = 500;
const maxLeases = 20_000;
const rounds = 4;

export function createLeases(
  counters: RedisCounters,
  { most, clock }: LeaseOptions,
): RemoteCounters & { close(): void } {
  const leases = new Map<string, { readonly demand: LimitDemand; readonly lease: Lease }>();
  const timer = setInterval(sweep, sweepMs);
  timer.unref();

  /** Null: this counter is asked each time. */
  function leaseOf(demand: LimitDemand): Lease | null {
    const found = leases.get(demand.key);
    if (found !== undefined) return found.lease;
    if (mostOf(demand) < 2 || leases.size >= maxLeases) return null;
    const lease: Lease = { calls: 0, size: 2, waited: 0, expires: 0, behind: 0, filling: null };
    leases.set(demand.key, { demand, lease });
    return lease;
  }

  const mostOf = ({ limit }: LimitDemand) => Math.min(most, Math.floor(limit.burst / shareOfBurst));

  function holds(demand: LimitDemand, now: number): boolean {
    const lease = leases.get(demand.key)?.lease;
    return lease !== undefined && lease.calls > 0 && now < lease.expires;
  }

  function spend(demand: LimitDemand, calls: number): void {
    const found = leases.get(demand.key);
    if (found) found.lease.calls -= calls;
  }

  /** Calls that were not needed go back; a counter that nobody uses is forgotten. */
  function sweep(): void {
    const now = clock.monotonic();
    for (const [key, { demand, lease }] of leases) {
      if (lease.filling !== null || now < lease.expires) continue;
      leases.delete(key);
      returnRest(demand, lease);
    }
  }

  /** Where that fails fewer calls pass for a while. */
  function returnRest(demand: LimitDemand, lease: Lease): void {
    if (lease.calls > 0) counters.giveBack(demand, lease.calls).catch(() => {});
    lease.calls = 0;
  }

  async function ask(demands: readonly LimitDemand[]): Promise<LimitVerdict> {
    for (let round = 0; round < rounds; round++) {
      const now = clock.monotonic();
      const lacking = demands.filter((demand) => !holds(demand, now));
      const filling = lacking
        .map((demand) => leases.get(demand.key)?.lease)
        .filter((lease): lease is Lease => lease !== undefined && lease.filling !== null);
      if (filling.length === 0) return fill(demands, lacking);
      for (const lease of filling) lease.waited += 1;
      await Promise.all(filling.map((lease) => lease.filling));
    }
    return counters.take(demands); // in turn with too many others: paid for by itself
  }

  async function fill(
    demands: readonly LimitDemand[],
    lacking: readonly LimitDemand[],
  ): Promise<LimitVerdict> {
    const held = demands.filter((demand) => !lacking.includes(demand));
    for (const demand of held) spend(demand, 1);
    const filled = lacking.map(leaseOf);
    const question = counters.take(
      lacking,
      lacking.map((demand, at) => Math.min(filled[at]?.size ?? 1, Math.max(1, mostOf(demand)))),
    );
    const done = question.then(
      () => {},
      () => {},
    );
    for (const lease of filled) if (lease) lease.filling = done;
    const verdict = await question.catch((error: unknown): never => {
      for (const demand of held) spend(demand, -1);
      clear(filled, done);
      throw error;
    });
    clear(filled, done);
    if (verdict.admitted) {
      lacking.forEach((demand, at) => {
        const lease = filled[at];
        if (lease) refill(lease, demand, verdict.calls[at] ?? 1);
        if (lease && verdict.tightest?.demand === demand) lease.behind = verdict.tightest.remaining;
      });
    } else for (const demand of held) spend(demand, -1);
    return verdict;
  }

  function refill(lease: Lease, demand: LimitDemand, taken: number): void {
    const now = clock.monotonic();
    const isUsedUp = lease.calls === 0 && now < lease.expires;
    returnRest(demand, lease);
    lease.size =
      isUsedUp || lease.waited > 0
        ? Math.min(Math.max(lease.size * 2, lease.waited * 2), mostOf(demand))
        : Math.max(2, Math.floor(lease.size / 2));
    lease.waited = 0;
    lease.calls = taken - 1;
    lease.expires = now + lifeMs;
  }

  return {
    name: 'redis',
    isReady: () => counters.isReady(),
    isHere: () => false,
    admit(demands, now) {
      for (const demand of demands) if (!holds(demand, now)) return ask(demands);
      for (const demand of demands) spend(demand, 1);
      return { admitted: true, tightest: tightestHere(demands) };
    },
    probe: () => counters.probe(),
    close: () => clearInterval(timer),
  };

  /** What this gateway holds, and what the store had left when it was last asked. */
  function tightestHere(demands: readonly LimitDemand[]): Allowance | null {
    let least: Allowance | null = null;
    for (const demand of demands) {
      if (!isOwn(demand)) continue;
      const lease = leases.get(demand.key)?.lease;
      const remaining = (lease?.calls ?? 0) + (lease?.behind ?? 0);
      if (least === null || remaining < least.remaining) least = { demand, remaining, moreInMs: 0 };
    }
    return least;
  }
}

function clear(leases: readonly (Lease | null)[], done: Promise<void>): void {
  for (const lease of leases) if (lease?.filling === done) lease.filling = null;
}
