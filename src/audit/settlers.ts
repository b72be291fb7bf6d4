interface Settler {
  readonly ordinal: number;
  readonly settled: Promise<void>;
  go(): void;
}

/**
 * Those who wait for the disk and go on all the same when it fails. Who waits for the same record shares a promise, so there
 * are never more of them than records that wait.
 */
export class Settlers {
  readonly #withinMs: number;
  /** In the order of their ordinals. */
  #waiting: Settler[] = [];

  /** @param withinMs nobody waits longer */
  constructor(withinMs: number) {
    this.#withinMs = withinMs;
  }

  /** Resolves with `settle` of this ordinal, or a later one; at the latest after the time that the constructor was given. */
  wait(ordinal: number): Promise<void> {
    const last = this.#waiting.at(-1);
    if (last?.ordinal === ordinal) return last.settled;
    let go: () => void = () => {};
    const settled = new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.settle(ordinal), this.#withinMs);
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
