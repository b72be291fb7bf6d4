import { charged, paceOf, settled, ticksAt, waitTicks } from './gcra.ts';
import type { LimitDemand } from './limiter.ts';
import type { MemoryStore } from './stores/memory.ts';

/**
 * Counters on a store that can be full. Keys that find no slot share one overflow counter for each layer and limit:
 * together they get what one caller would. Nobody who is counted loses their counter to make room, so a flood of new
 * keys frees no abuser, and it cannot be answered without a limit either.
 *
 * A key that gets a slot while its overflow counter still runs starts from where that one stands, because
 * the key may be among those that used it: never more than the limit for any key, at the price of strictness to newcomers
 * for one burst's time after a flood.
 */
export interface Ledger {
  /**
   * Begins a decision about so many demands and gives its time in ticks.
   * @param ms of a monotonic clock. If it steps back all the same, time stands still for that step: what was owed
   *   stays owed, and announced waits stay true.
   */
  begin(demands: number, ms: number): number;
  /** Ticks until the demand is admitted; 0: now. Charges nothing. */
  wait(demand: LimitDemand, now: number): number;
  /** Charges one call, admitted or not. Gives the TAT that it leads to. */
  charge(demand: LimitDemand, now: number): number;
  size(): number;
  /** TAT of a key; negative infinity where it has no counter. */
  read(key: string): number;
  /** Takes up a counter of an earlier run, unless there is no room. One that stands further ahead stays. */
  restore(key: string, tat: number): void;
  /** Keys and TATs that are not yet as good as new. */
  running(ms: number): Iterable<readonly [key: string, tat: number]>;
}

export function createLedger(store: MemoryStore): Ledger {
  const overflow = new Map<string, number>();
  const timeOf = createTimeline();

  function tatOf(demand: LimitDemand, slot: number): number {
    if (slot >= 0) return store.read(slot);
    if (overflow.size === 0) return Number.NEGATIVE_INFINITY;
    return overflow.get(overflowKey(demand)) ?? Number.NEGATIVE_INFINITY;
  }

  function forgetDrained(now: number): void {
    for (const [key, tat] of overflow) if (tat <= now) overflow.delete(key);
  }

  return {
    begin(demands, ms) {
      const now = timeOf(ms);
      if (overflow.size > 0) forgetDrained(now);
      store.makeRoom(demands, now);
      return now;
    },
    wait(demand, now) {
      const pace = paceOf(demand.limit);
      const slot = store.find(demand.key);
      const tat = settled(tatOf(demand, slot), now, pace);
      const wait = waitTicks(tat, now, pace);
      if (wait > 0 && slot >= 0) store.write(slot, tat);
      return wait;
    },
    charge(demand, now) {
      const slot = store.find(demand.key);
      const tat = charged(tatOf(demand, slot), now, paceOf(demand.limit));
      if (slot >= 0) store.write(slot, tat);
      else if (store.free() > 0) store.add(demand.key, tat);
      else overflow.set(overflowKey(demand), tat);
      return tat;
    },
    size: () => store.size(),
    read(key) {
      const slot = store.find(key);
      return slot >= 0 ? store.read(slot) : Number.NEGATIVE_INFINITY;
    },
    restore(key, tat) {
      const slot = store.find(key);
      if (slot >= 0) store.write(slot, Math.max(tat, store.read(slot)));
      else if (store.free() > 0 && Number.isSafeInteger(tat)) store.add(key, tat);
    },
    *running(ms) {
      const now = timeOf(ms);
      for (const [key, slot] of store.slots()) {
        const tat = store.read(slot);
        if (tat > now) yield [key, tat];
      }
    },
  };
}

/** Ticks that never go back. */
function createTimeline(): (ms: number) => number {
  let latest = Number.NEGATIVE_INFINITY;
  let offset = 0;
  return (ms) => {
    const ticks = ticksAt(ms);
    if (ticks + offset < latest) offset = latest - ticks;
    latest = Math.max(latest, Number.isNaN(ticks) ? latest : ticks + offset);
    return ticks + offset;
  };
}

/** As many as there are limits in the configuration: nothing a caller says is in it. */
function overflowKey({ layer, limit }: LimitDemand): string {
  return `${layer} ${limit.count}/${limit.periodMs}/${limit.burst}`;
}
