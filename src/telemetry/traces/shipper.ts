import { setTimeout as wait } from 'node:timers/promises';
import { type Log, messageOf } from '../../base/index.ts';
import { backOffMs } from '../../outbound/index.ts';
import type { Posted } from '../otlp/post.ts';

export interface ShipperOptions<T> {
  /** Sends some. Rejects when it cannot be said what became of them: they are sent again. */
  readonly send: (items: readonly T[]) => Promise<Posted>;
  /** Reads from the answer how many of them were turned away for good. */
  readonly rejectedOf: (body: string, items: readonly T[]) => number;
  /** How many may wait. What comes when so many do is left out, and counted. */
  readonly queue: number;
  /** How many go at once, and how long the first of them waits for the others. */
  readonly batch: { readonly items: number; readonly everyMs: number };
  readonly log: Log;
  readonly random: () => number;
  readonly firstRetryMs?: number;
}

export interface ShipperState {
  readonly waiting: number;
  readonly exported: number;
  /** Found no room. */
  readonly dropped: number;
  /** Turned away, or given up after all attempts or at the end. */
  readonly failed: number;
  /** Requests without success. */
  readonly failures: number;
}

const mostAttempts = 5;
const slowestRetryMs = 30_000;

/** Batches on their way to a collector, one at a time. Whatever the collector does, callers never wait and memory is bounded. */
export class Shipper<T> {
  readonly #options: ShipperOptions<T>;
  readonly #stop = new AbortController();
  readonly #stopped: Promise<never>;
  #waiting: T[] = [];
  #exported = 0;
  #dropped = 0;
  #failed = 0;
  #failures = 0;
  #isFailing = false;
  #isClosing = false;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(options: ShipperOptions<T>) {
    this.#options = options;
    this.#stopped = new Promise((_, reject) => {
      this.#stop.signal.addEventListener('abort', () => reject(new Error('closed')));
    });
    this.#stopped.catch(() => {}); // heard where it matters
  }

  add(item: T): void {
    if (this.#isClosing || this.#waiting.length >= this.#options.queue) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(item);
    const { items, everyMs } = this.#options.batch;
    if (this.#waiting.length >= items) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), everyMs).unref();
  }

  state(): ShipperState {
    return {
      waiting: this.#waiting.length,
      exported: this.#exported,
      dropped: this.#dropped,
      failed: this.#failed,
      failures: this.#failures,
    };
  }

  /** Sends what waits, for at most `withinMs`. */
  async close(withinMs: number): Promise<void> {
    this.#isClosing = true;
    const late = setTimeout(() => this.#stop.abort(), withinMs);
    do {
      this.#start();
      await this.#running;
    } while (this.#waiting.length > 0 && !this.#stop.signal.aborted);
    clearTimeout(late);
    this.#stop.abort();
    if (this.#waiting.length > 0) {
      this.#options.log.warn({ spans: this.#waiting.length }, 'telemetry closed with spans unsent');
    }
    this.#failed += this.#waiting.length;
    this.#waiting = [];
  }

  #start(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#running || this.#stop.signal.aborted) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      const { items, everyMs } = this.#options.batch;
      if (this.#waiting.length === 0 || this.#isClosing) return;
      if (this.#waiting.length >= items) this.#start();
      else this.#timer ??= setTimeout(() => this.#start(), everyMs).unref();
    });
  }

  /** One round over what waits now. What is under way keeps its place in the queue: memory is bounded by `queue` alone. */
  async #run(): Promise<void> {
    for (let left = this.#waiting.length; left > 0 && !this.#stop.signal.aborted; ) {
      const items = this.#waiting.slice(0, Math.min(left, this.#options.batch.items));
      if (!(await this.#deliver(items))) return;
      this.#waiting.splice(0, items.length);
      left -= items.length;
    }
  }

  /** @returns false when it was interrupted by the end */
  async #deliver(items: readonly T[]): Promise<boolean> {
    const { firstRetryMs = 1_000, random } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const retryMs = await this.#attempt(items);
      if (retryMs === null) return true;
      if (this.#stop.signal.aborted) return false;
      if (attempt === mostAttempts) {
        this.#failed += items.length;
        return true;
      }
      const ownMs = backOffMs(attempt, { firstMs: firstRetryMs, slowestMs: slowestRetryMs }, random());
      const afterMs = Math.min(Math.max(retryMs, ownMs), slowestRetryMs);
      await wait(afterMs, undefined, { signal: this.#stop.signal, ref: this.#isClosing }).catch(() => {});
    }
  }

  /** @returns null when the items are done with, else how long the collector wants to be left alone */
  async #attempt(items: readonly T[]): Promise<number | null> {
    try {
      const posted = await Promise.race([this.#options.send(items), this.#stopped]);
      if (posted.taken) {
        const rejected = this.#options.rejectedOf(posted.body, items);
        this.#exported += items.length - rejected;
        this.#failed += rejected;
        this.#note(rejected > 0 ? `the collector turned ${rejected} spans away` : null);
        return null;
      }
      this.#failures += 1;
      this.#note(posted.message);
      if (posted.retry) return posted.afterMs ?? 0;
      this.#failed += items.length;
      return null;
    } catch (error) {
      if (this.#stop.signal.aborted) return 0;
      this.#failures += 1;
      this.#note(messageOf(error));
      return 0;
    }
  }

  /** Said once when it begins and once when it is over. */
  #note(reason: string | null): void {
    if (this.#isFailing === (reason !== null)) return;
    this.#isFailing = reason !== null;
    if (reason === null) this.#options.log.info({}, 'spans are taken again');
    else this.#options.log.warn({ reason: reason.slice(0, 300) }, 'spans cannot be exported');
  }
}
