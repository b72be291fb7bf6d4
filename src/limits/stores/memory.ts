/**
 * Theoretical arrival times by key, in the memory of this process. A key takes a slot; a slot whose time has passed
 * says nothing that a fresh one would not, so forgetting it is free. A key that could still refuse is never forgotten.
 */
export interface MemoryStore {
  /** Tries to have `wanted` free slots, in a bounded number of steps. Slots found earlier may be gone afterwards. */
  makeRoom(wanted: number, now: number): void;
  /** Slot of a key; -1: it has none. */
  find(key: string): number;
  /** TAT of a slot in ticks. */
  read(slot: number): number;
  write(slot: number, tat: number): void;
  /** Free slots, those not yet allocated included. */
  free(): number;
  /** Takes a free slot for a key that has none. @throws RangeError when there is none */
  add(key: string, tat: number): void;
  size(): number;
  slots(): Iterable<readonly [key: string, slot: number]>;
}

/** Below this many keys nothing is swept: keys that come and go would be added and removed on every call. */
const quietSize = 1024;
/** Slots looked at on each call, and at most when there is no room: what bounds the cost of a flood of new keys. */
const stepsPerCall = 2;
const stepsWhenFull = 64;

export function createMemoryStore(maxKeys: number): MemoryStore {
  const slots = new Map<string, number>();
  const keys: (string | null)[] = [];
  const vacant: number[] = [];
  let tats = new Float64Array(Math.min(maxKeys, quietSize));
  let hand = 0;

  const free = (): number => maxKeys - slots.size;

  /** Looks at the next slot, as a clock's hand goes round. */
  function sweepOne(now: number): void {
    if (hand >= keys.length) hand = 0;
    const key = keys[hand];
    if (typeof key === 'string' && read(hand) <= now) {
      slots.delete(key);
      keys[hand] = null;
      vacant.push(hand);
    }
    hand++;
  }

  function read(slot: number): number {
    return tats[slot] ?? Number.POSITIVE_INFINITY;
  }

  function grow(): number {
    if (keys.length === tats.length) {
      const larger = new Float64Array(Math.min(maxKeys, tats.length * 2));
      larger.set(tats);
      tats = larger;
    }
    return keys.length;
  }

  return {
    makeRoom(wanted, now) {
      if (slots.size < quietSize && free() >= wanted) return;
      for (let step = 0; step < stepsPerCall; step++) sweepOne(now);
      for (let step = stepsPerCall; step < stepsWhenFull && free() < wanted; step++) sweepOne(now);
    },
    find: (key) => slots.get(key) ?? -1,
    read,
    write(slot, tat) {
      tats[slot] = tat;
    },
    free,
    add(key, tat) {
      if (free() < 1) throw new RangeError('no free slot');
      const slot = vacant.pop() ?? grow();
      keys[slot] = key;
      tats[slot] = tat;
      slots.set(key, slot);
    },
    size: () => slots.size,
    slots: () => slots,
  };
}
