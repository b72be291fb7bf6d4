import type { PinStore } from './store.ts';

/** What one list brought: written at its end, all of it or nothing, and told when that is done. */
export class PendingWrites {
  readonly #store: PinStore;
  #writes: (() => void)[] = [];
  #events: (() => void)[] = [];

  constructor(store: PinStore) {
    this.#store = store;
  }

  write(write: () => void): void {
    this.#writes.push(write);
  }

  tell(tell: () => void): void {
    this.#events.push(tell);
  }

  /**
   * Throws what the store throws; nothing is pending either way.
   * @returns what is to be told now
   */
  commit(): readonly (() => void)[] {
    const [writes, events] = [this.#writes, this.#events];
    this.#writes = [];
    this.#events = [];
    if (writes.length > 0) {
      this.#store.transaction(() => {
        for (const write of writes) write();
      });
    }
    return events;
  }
}
