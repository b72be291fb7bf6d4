/** A map that forgets its oldest entry when it is full. For caches that callers can fill. */
export class BoundedMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #maxEntries: number;
  /** Kept, because a new one would have to pass all the holes that forgetting has left at the front. */
  #oldest = this.#entries.keys();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#maxEntries) {
      this.#forgetOldest();
    }
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#oldest = this.#entries.keys();
  }

  /** Everything before the iterator is gone already, so its next entry is the oldest. */
  #forgetOldest(): void {
    const { value, done } = this.#oldest.next();
    if (!done) this.#entries.delete(value);
  }
}
