/** Failures that may follow each other before the next try has to wait. */
export interface ThrottleRule {
  readonly failures: number;
  readonly windowMs: number;
}

const maximumKeys = 10_000;

/** Keeps counts over a restart. */
export interface FailureStore {
  load(): Iterable<readonly [key: string, window: Window]>;
  save(key: string, window: Window): void;
  remove(key: string): void;
}

export interface Window {
  readonly startedAt: number;
  readonly failures: number;
}

/** Counts failed tries per key, bounded: the oldest key gives way. */
export class Throttle {
  readonly #rule: ThrottleRule;
  readonly #store: FailureStore | null;
  readonly #windows: Map<string, Window>;

  constructor(rule: ThrottleRule, store: FailureStore | null = null) {
    this.#rule = rule;
    this.#store = store;
    this.#windows = new Map(store?.load());
  }

  /** How long the key has to wait, in ms; 0 when it may try. */
  waitMs(key: string, now: number): number {
    const window = this.#current(key, now);
    if (window === undefined || window.failures < this.#rule.failures) return 0;
    return window.startedAt + this.#rule.windowMs - now;
  }

  /** Counted before the password is checked, so that concurrent tries cannot slip past; taken back on success. */
  count(key: string, now: number): void {
    const window = this.#current(key, now) ?? { startedAt: now, failures: 0 };
    this.#windows.delete(key);
    if (this.#windows.size >= maximumKeys) {
      const [oldest] = this.#windows.keys();
      if (oldest !== undefined) this.#remove(oldest);
    }
    this.#set(key, { ...window, failures: window.failures + 1 });
  }

  takeBack(key: string): void {
    const window = this.#windows.get(key);
    if (window === undefined) return;
    if (window.failures <= 1) this.#remove(key);
    else this.#set(key, { ...window, failures: window.failures - 1 });
  }

  #set(key: string, window: Window): void {
    this.#windows.set(key, window);
    this.#store?.save(key, window);
  }

  #remove(key: string): void {
    this.#windows.delete(key);
    this.#store?.remove(key);
  }

  #current(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key);
    if (window === undefined) return undefined;
    if (now - window.startedAt < this.#rule.windowMs) return window;
    this.#remove(key);
    return undefined;
  }
}
