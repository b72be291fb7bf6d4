import { Recency } from './recency.ts';

/** What is known of one key: when it matched, and with which value, where values are told apart. */
export interface KeyState {
  /** Milliseconds of the monotonic clock, oldest first; never more than the rule's count. */
  readonly marks: Mark[];
  /** When it was told of last; null: not yet. */
  toldAt: number | null;
  /** Matches since then. */
  since: number;
}

interface Mark {
  at: number;
  readonly value: string | null;
}

interface Held extends KeyState {
  level: number;
  touchedAt: number;
}

const levels = 6;

/**
 * The state of many keys in bounded memory. Keys can be made up by an attacker (addresses), so when there is no room the
 * key goes that was seen least: a flood of fresh keys pushes out other fresh keys, not the one that is being abused, nor
 * one that was told of (which would be told of again). What goes before its time is counted, and that count is itself
 * told to the operator.
 */
export class KeyedStates {
  readonly #maxKeys: number;
  /** By level: keys that were seen once, twice, four times …, told. Each in the order of their last touch. */
  readonly #held: readonly Recency<Held>[] = Array.from({ length: levels }, () => new Recency<Held>());
  readonly #levelOf = new Map<string, number>();
  #dropped = 0;

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#levelOf.size;
  }

  /** Keys that lost their state although their window had not passed, since the last time this was asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Reads, changes and puts back the state of `key`. */
  update<T>(key: string, times: { now: number; withinMs: number }, change: (state: KeyState) => T): T {
    const state = this.#take(key) ?? { marks: [], toldAt: null, since: 0, level: 0, touchedAt: 0 };
    while (state.marks[0] !== undefined && state.marks[0].at <= times.now - times.withinMs)
      state.marks.shift();
    const result = change(state);
    state.touchedAt = times.now;
    state.level = levelOf(state, times);
    if (this.#levelOf.size >= this.#maxKeys) this.#makeRoom(times);
    this.#held[state.level]?.set(key, state);
    this.#levelOf.set(key, state.level);
    return result;
  }

  #take(key: string): Held | undefined {
    const level = this.#levelOf.get(key);
    if (level === undefined) return undefined;
    this.#levelOf.delete(key);
    return this.#held[level]?.take(key);
  }

  /** First what is over anyway, then the key that was seen least and longest ago. */
  #makeRoom({ now, withinMs }: { now: number; withinMs: number }): void {
    let victim: string | undefined;
    for (const held of this.#held) {
      const oldest = held.oldest();
      if (!oldest) continue;
      if (oldest.value.touchedAt <= now - withinMs) return void this.#take(oldest.key);
      victim ??= oldest.key;
    }
    if (victim === undefined) return;
    this.#take(victim);
    this.#dropped += 1;
  }
}

function levelOf(state: KeyState, { now, withinMs }: { now: number; withinMs: number }): number {
  if (state.toldAt !== null && state.toldAt > now - withinMs) return levels - 1;
  return Math.min(levels - 2, Math.floor(Math.log2(Math.max(1, state.marks.length))));
}
