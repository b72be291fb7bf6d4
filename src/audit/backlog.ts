import type { CallEntry, EventEntry } from './trail.ts';

export interface BacklogBounds {
  /** Intents are taken up to this many waiting records … */
  readonly records: number;
  /** … or this many bytes. Everything else may use twice as much. */
  readonly bytes: number;
}

/** A record on its way to the store. */
export type Waiting = {
  readonly size: number;
  /** The entry's canonical JSON. */
  readonly text: string;
  /** Counts up with every item that was added. */
  readonly ordinal: number;
  /** Of an intent alone: whoever waits for the disk. An intent without it was promised to its caller already. */
  readonly settle?: {
    resolve(): void;
    reject(error: Error): void;
    /** What becomes of the call when the store fails: it is refused, or goes on while its intent waits in memory. */
    readonly whenStoreFails: 'refuse' | 'go on';
  };
  /** Name of what the chain says of itself: made for one commit, and anew for the next. */
  readonly own?: string;
} & (
  | { readonly phase: 'intent' | 'outcome'; readonly record: CallEntry }
  | { readonly phase: 'event'; readonly record: EventEntry }
);

/**
 * The bounded queue before the store. For every intent that it takes it holds a place for the outcome, so that the
 * outcome of a call which has left is never turned away; what nobody promised a place (denials, events) is turned away
 * and counted when even the reserve is used up. Memory is bounded: places never exceed twice `records`.
 */
export class Backlog {
  readonly #bounds: BacklogBounds;
  #waiting: Waiting[] = [];
  #bytes = 0;
  /** Request ids whose intent was taken and whose outcome has not come. */
  readonly #owed = new Set<string>();

  constructor(bounds: BacklogBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** True while intents find room. */
  hasRoom(): boolean {
    return this.#waiting.length < this.#bounds.records && this.#bytes < this.#bounds.bytes;
  }

  /** False when there is no room; then nothing was kept. */
  add(item: Waiting): boolean {
    if (item.phase === 'intent') {
      if (!this.hasRoom()) return false;
      this.#promise(item.record.request_id);
    } else {
      const promised = item.phase === 'outcome' && this.#owed.delete(item.record.request_id);
      if (!promised && !this.#reserveHasRoom()) return false;
    }
    this.#waiting.push(item);
    this.#bytes += item.size;
    return true;
  }

  /** Removes and returns the oldest, at most `count`. */
  take(count: number): Waiting[] {
    const taken = this.#waiting.splice(0, count);
    for (const item of taken) this.#bytes -= item.size;
    return taken;
  }

  /** Puts back what `take` gave, before the rest. */
  putBack(items: readonly Waiting[]): void {
    this.#waiting = [...items, ...this.#waiting];
    for (const item of items) this.#bytes += item.size;
  }

  /**
   * Ends the waiting for the disk, of what the store did not confirm and of all that waits. Refused intents are removed, and no
   * outcome is owed for them; calls that may go on do, and their intents stay.
   * @returns `taken`, in which only refused intents still have a `settle`; and how many were refused in all
   */
  stopWaiting(
    taken: readonly Waiting[],
    error: Error,
    mayGoOn = true,
  ): { taken: Waiting[]; refused: number } {
    let refused = 0;
    const settled = (item: Waiting): Waiting => {
      const { settle, ...rest } = item;
      if (!settle || item.phase !== 'intent') return item;
      if (mayGoOn && settle.whenStoreFails === 'go on') {
        settle.resolve();
        return rest as Waiting;
      }
      this.#owed.delete(item.record.request_id);
      settle.reject(error);
      refused += 1;
      return item;
    };
    const answer = taken.map(settled);
    this.#waiting = this.#waiting.map(settled).filter((item) => !item.settle);
    this.#bytes = this.#waiting.reduce((sum, item) => sum + item.size, 0);
    return { taken: answer, refused };
  }

  /** Beyond `records` open calls the oldest gives up its place: one that never ends must not lock out all others. */
  #promise(requestId: string): void {
    if (this.#owed.size >= this.#bounds.records) {
      for (const oldest of this.#owed) {
        this.#owed.delete(oldest);
        break;
      }
    }
    this.#owed.add(requestId);
  }

  #places(): number {
    return this.#waiting.length + this.#owed.size;
  }

  #reserveHasRoom(): boolean {
    return this.#places() < this.#bounds.records * 2 && this.#bytes < this.#bounds.bytes * 2;
  }
}
