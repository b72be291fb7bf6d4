interface Settler {
  readonly ordinal: number;
  readonly settled: Promise<void>;
  go(): void;
}

export interface SettlersBounds {
  /** Nobody waits longer. */
  readonly withinMs: number;
  /** Who comes when so many wait already does not wait: each holds a request in memory, and anybody can send one. */
  readonly most: number;
}

/** Those who wait for the disk and go on all the same when it fails. Who waits for the same record shares a promise. */
export class Settlers {
  readonly #bounds: SettlersBounds;
  /** In the order of their ordinals. */
  #waiting: Settler[] = [];

  constructor(bounds: SettlersBounds) {
    this.#bounds = bounds;
  }

  /** Resolves with `settle` of this ordinal, or a later one, and as the bounds say. */
  wait(ordinal: number): Promise<void> {
    const last = this.#waiting.at(-1);
    if (last?.ordinal === ordinal) return last.settled;
    if (this.#waiting.length >= this.#bounds.most) return Promise.resolve();
    let go: () => void = () => {};
    const settled = new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.settle(ordinal), this.#bounds.withinMs);
      go = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#waiting.push({ ordinal, settled, go });
    return settled;
  }

  /** Lets everybody up to this ordinal go on; everybody, where none is given. */
  settle(ordinal = Number.POSITIVE_INFINITY): void {
    const next = this.#waiting.findIndex((settler) => settler.ordinal > ordinal);
    const ready = this.#waiting.splice(0, next === -1 ? this.#waiting.length : next);
    for (const { go } of ready) go();
  }
}
