const windowMs = 60_000;
const maxKeys = 100_000;

/**
 * How many calls each key had in the minute before each of its calls. A token bucket of N a minute passes a key whose windows have
 * at most N, wherever a minute begins; calendar minutes would not say so.
 */
export class Windows {
  readonly #times = new Map<string, number[]>();
  /** Calls in a window → how many calls saw that. */
  readonly #seen = new Map<number, number>();
  #calls = 0;

  /** @param at milliseconds; not before the last one */
  add(key: string, at: number): void {
    const times = this.#times.get(key) ?? [];
    const first = times.findIndex((time) => time > at - windowMs);
    const window = [...(first < 0 ? [] : times.slice(first)), at];
    this.#times.delete(key);
    this.#times.set(key, window);
    this.#calls++;
    this.#seen.set(window.length, (this.#seen.get(window.length) ?? 0) + 1);
    const oldest = this.#times.keys().next().value;
    if (this.#times.size > maxKeys && oldest !== undefined) this.#times.delete(oldest);
  }

  /** The smallest window that this share of the calls saw at most; 0 without calls. */
  percentile(percent: number): number {
    let left = Math.ceil((this.#calls * percent) / 100);
    for (const [size, count] of [...this.#seen].sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return size;
    }
    return 0;
  }

  get largest(): number {
    return Math.max(0, ...this.#seen.keys());
  }
}
