/** Failures that may follow each other before the next try has to wait. */
export interface ThrottleRule {
  readonly failures: number;
  readonly windowMs: number;
}

const maximumKeys = 10_000;

interface Window {
  readonly startedAt: number;
  readonly failures: number;
}

/** Counts failed tries per key in memory, bounded: the oldest key gives way. */
export class Throttle {
  readonly #rule: ThrottleRule;
  readonly #windows = new Map<string, Window>();

  constructor(rule: ThrottleRule) {
    this.#rule = rule;
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
      if (oldest !== undefined) this.#windows.delete(oldest);
    }
    this.#windows.set(key, { ...window, failures: window.failures + 1 });
  }

  takeBack(key: string): void {
    const window = this.#windows.get(key);
    if (window === undefined) return;
    if (window.failures <= 1) this.#windows.delete(key);
    else this.#windows.set(key, { ...window, failures: window.failures - 1 });
  }

  #current(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key);
    if (window === undefined) return undefined;
    if (now - window.startedAt < this.#rule.windowMs) return window;
    this.#windows.delete(key);
    return undefined;
  }
}
