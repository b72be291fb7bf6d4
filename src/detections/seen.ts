import { hash } from 'node:crypto';
import { Recency } from './recency.ts';

/** Keeps what was seen over a restart. */
export interface SeenStore {
  /** Everything that is kept: 32 hex digits → milliseconds since the epoch when it was seen last. */
  load(): Iterable<readonly [string, number]>;
  /** Adds or renews. Called off the hot path, with many at once. */
  save(seen: ReadonlyMap<string, number>): void;
  close(): void;
}

const dayMs = 24 * 3_600_000;
const mostRecent = 4_096;

/** What was ever seen, by digest, bounded: what was not seen for longest is forgotten first. */
export class Seen {
  readonly #store: SeenStore;
  readonly #max: number;
  readonly #at = new Recency<number>();
  #dirty = new Map<string, number>();
  /** Texts whose digest was looked up lately: the same callers come over and over. */
  readonly #recent = new Set<string>();

  constructor(store: SeenStore, max: number) {
    this.#store = store;
    this.#max = max;
    for (const [digest, at] of store.load()) this.#at.set(digest, at);
  }

  get size(): number {
    return this.#at.size;
  }

  /**
   * Notes `text` and says whether it is new.
   * @param now milliseconds since the epoch
   */
  add(text: string, now: number): boolean {
    if (this.#recent.has(text)) return false;
    if (this.#recent.size >= mostRecent) this.#recent.clear();
    this.#recent.add(text);
    const digest = hash('sha256', text, 'hex').slice(0, 32);
    const last = this.#at.get(digest);
    this.#at.set(digest, now);
    if (last === undefined || now - last > dayMs) this.#dirty.set(digest, now);
    const oldest = this.#at.size > this.#max ? this.#at.oldest() : null;
    if (oldest) this.#at.take(oldest.key);
    return last === undefined;
  }

  /** Gives the store what has changed. On failure it is tried again next time. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    this.#store.save(this.#dirty);
    this.#dirty = new Map();
  }

  close(): void {
    try {
      this.flush();
    } finally {
      this.#store.close();
    }
  }
}

/** Keeps nothing over a restart. */
export const seenInMemory: SeenStore = { load: () => [], save() {}, close() {} };
