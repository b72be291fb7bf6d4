import type { Clock } from '../../base/index.ts';

/** The time one call may take: progress grants it anew, up to an absolute end. */
export class Deadline {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #expire: () => void;
  readonly #end: number;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(clock: Clock, options: { timeoutMs: number; factor: number; expire: () => void }) {
    this.#clock = clock;
    this.#timeoutMs = options.timeoutMs;
    this.#expire = options.expire;
    this.#end = clock.monotonic() + options.timeoutMs * options.factor;
    this.#arm(options.timeoutMs);
  }

  /** Something happened that shows work. */
  extend(): void {
    this.#arm(this.#timeoutMs);
  }

  /** Waits for a person for at most `ms`: beyond the usual time, and not counted as silence of the child. */
  allow(ms: number): void {
    this.#arm(Math.max(ms, this.#timeoutMs), true);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(ms: number, beyondEnd = false): void {
    if (this.#stopped) return;
    if (this.#timer) clearTimeout(this.#timer);
    const left = this.#end - this.#clock.monotonic();
    this.#timer = setTimeout(() => this.#expire(), beyondEnd ? ms : Math.max(0, Math.min(ms, left)));
  }
}
