import { setTimeout as wait } from 'node:timers/promises';
import { type Clock, type Log, messageOf, timestamp } from '../../base/index.ts';
import { backOffMs } from '../../outbound/index.ts';
import type { AuditEvent } from '../trail.ts';
import { Busy, type Copied, type CopyTarget, Undeliverable } from './copy.ts';

/** `block`: calls wait while the queue is full. `drop`: what finds no room is left out, counted and told. */
export type Overflow = 'block' | 'drop';

export interface CopierOptions {
  readonly target: CopyTarget;
  readonly overflow: Overflow;
  /** What may wait. Passed by at most one commit (1,000 records) with `block`. */
  readonly queue: { readonly records: number; readonly bytes: number };
  readonly clock: Clock;
  readonly log: Log;
  /** Records what happens to the copy, in the trail itself. */
  readonly tell: (event: AuditEvent) => void;
  readonly random: () => number;
  readonly firstRetryMs?: number;
}

/** What became of a copy so far. */
export interface CopyState {
  readonly kind: string;
  readonly place: string;
  readonly failing: boolean;
  readonly waiting: number;
  readonly delivered: number;
  readonly dropped: number;
  /** How long calls waited for room, in all. */
  readonly blockedMs: number;
}

interface Trouble {
  readonly since: number;
  readonly droppedBefore: number;
  readonly blockedBefore: number;
  told: boolean;
}

const slowestRetryMs = 30_000;
/** A place that fails every other time must not fill the trail with news of itself. */
const newsApartMs = 10_000;

/** One queue before one place. Its failures stay its own: they never reach the store. */
export class Copier {
  readonly #options: CopierOptions;
  readonly #stop = new AbortController();
  /** Rejects when `close` waits no longer: a place that hangs must not keep the process. */
  readonly #stopped = new Promise<never>((_, reject) => {
    this.#stop.signal.addEventListener('abort', () => reject(new Error('closed')));
  });
  #waiting: Copied[] = [];
  #bytes = 0;
  #delivered = 0;
  #dropped = 0;
  #blockedMs = 0;
  #failures = 0;
  #trouble: Trouble | null = null;
  #lastNews = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #room: (() => void)[] = [];
  #mayBlock = true;

  constructor(options: CopierOptions) {
    this.#options = options;
    this.#stopped.catch(() => {}); // heard where it matters
  }

  /** Queues them. With `block` it resolves when there was room; otherwise at once. Never rejects. */
  async offer(items: readonly Copied[]): Promise<void> {
    if (this.#options.overflow === 'block' && this.#mayBlock && this.#full()) await this.#untilRoom();
    for (const item of items) {
      if (this.#full() && (this.#options.overflow === 'drop' || !this.#mayBlock)) this.#drop(item);
      else this.#push(item);
    }
    this.#start();
  }

  state(): CopyState {
    const { kind, place } = this.#options.target;
    return {
      kind,
      place,
      failing: this.#trouble !== null,
      waiting: this.#waiting.length,
      delivered: this.#delivered,
      dropped: this.#dropped,
      blockedMs: Math.round(this.#blockedMs),
    };
  }

  /** From now on nobody waits for room: the trail is closing. */
  stopBlocking(): void {
    this.#mayBlock = false;
    this.#giveRoom();
  }

  /** Delivers what waits, for at most `withinMs`, and releases the place. */
  async close(withinMs: number): Promise<void> {
    this.stopBlocking();
    const timer = setTimeout(() => this.#stop.abort(), withinMs);
    while (this.#running) await this.#running;
    clearTimeout(timer);
    this.#stop.abort();
    const { target, log } = this.#options;
    const undelivered = this.#waiting.length;
    if (undelivered > 0) {
      log.error({ copy: target.kind, place: target.place, undelivered }, 'an audit copy closed incomplete');
    }
    await target.close().catch((error: unknown) => {
      log.warn({ copy: target.kind, error: messageOf(error) }, 'an audit copy did not close');
    });
  }

  #full(): boolean {
    const { queue } = this.#options;
    return this.#waiting.length >= queue.records || this.#bytes >= queue.bytes;
  }

  #push(item: Copied): void {
    this.#waiting.push(item);
    this.#bytes += item.text.length;
  }

  #drop(item: Copied): void {
    this.#dropped += 1;
    this.#enter(`its queue is full at ${item.writer}/${item.entry.position}`);
  }

  async #untilRoom(): Promise<void> {
    const { clock } = this.#options;
    const from = clock.monotonic();
    while (this.#mayBlock && this.#full()) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
    this.#blockedMs += clock.monotonic() - from;
  }

  #giveRoom(): void {
    for (const resolve of this.#room.splice(0)) resolve();
  }

  #start(): void {
    if (this.#running || this.#waiting.length === 0 || this.#stop.signal.aborted) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      this.#start(); // what came after the last look
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let items: Copied[] | null = null;
    while (this.#waiting.length > 0 && !signal.aborted) {
      // The same after a failure, though more may wait by now: the receiver may have taken them and knows their id.
      items ??= this.#next();
      const afterMs = await this.#deliver(items);
      if (afterMs === null) {
        this.#settle(items);
        items = null;
      } else await wait(afterMs, undefined, { signal }).catch(() => {});
    }
  }

  /** The oldest that fit into one delivery; at least one. */
  #next(): Copied[] {
    const { most } = this.#options.target;
    let bytes = 0;
    const end = this.#waiting.findIndex(({ text }, index) => {
      bytes += text.length;
      return index >= most.records || (index > 0 && bytes > most.bytes);
    });
    return end === -1 ? [...this.#waiting] : this.#waiting.slice(0, end);
  }

  /** @returns null when the items are done with, else how long to wait before the same go again */
  async #deliver(items: readonly Copied[]): Promise<number | null> {
    const { target, random, firstRetryMs = 250 } = this.#options;
    try {
      const rejected = await Promise.race([target.deliver(items), this.#stopped]);
      this.#delivered += items.length - rejected;
      this.#failures = 0;
      if (rejected > 0) {
        this.#dropped += rejected;
        this.#enter(`it turned ${rejected} records away`);
      }
      return null;
    } catch (error) {
      if (error instanceof Undeliverable) {
        this.#dropped += items.length;
        this.#enter(messageOf(error));
        return null;
      }
      this.#failures += 1;
      if (!this.#stop.signal.aborted) this.#enter(messageOf(error));
      const asked = error instanceof Busy ? error.afterMs : null;
      return Math.max(
        asked ?? 0,
        backOffMs(this.#failures, { firstMs: firstRetryMs, slowestMs: slowestRetryMs }, random()),
      );
    }
  }

  #settle(items: readonly Copied[]): void {
    this.#waiting = this.#waiting.slice(items.length);
    for (const { text } of items) this.#bytes -= text.length;
    this.#giveRoom();
    if (this.#failures === 0 && this.#waiting.length * 2 < this.#options.queue.records) this.#leave();
  }

  #enter(reason: string): void {
    const { clock, log, target } = this.#options;
    const now = clock.monotonic();
    this.#trouble ??= {
      since: now,
      droppedBefore: this.#dropped,
      blockedBefore: this.#blockedMs,
      told: false,
    };
    if (this.#trouble.told || now - this.#lastNews < newsApartMs) return;
    this.#lastNews = now;
    this.#trouble.told = true;
    log.error({ copy: target.kind, place: target.place, reason }, 'an audit copy fails');
    this.#tell('audit.sink_failed', { reason: reason.slice(0, 300), dropped: this.#dropped });
  }

  /** Told only when the trouble was. */
  #leave(): void {
    const trouble = this.#trouble;
    if (trouble === null) return;
    this.#trouble = null;
    if (!trouble.told) return;
    const { clock, log, target } = this.#options;
    const news = {
      outage_ms: Math.round(clock.monotonic() - trouble.since),
      blocked_ms: Math.round(this.#blockedMs - trouble.blockedBefore),
      dropped: this.#dropped,
      delivered: this.#delivered,
    };
    log.warn({ copy: target.kind, place: target.place, ...news }, 'an audit copy has recovered');
    this.#tell('audit.sink_recovered', news);
  }

  #tell(event: string, data: Readonly<Record<string, string | number>>): void {
    const { clock, tell, target } = this.#options;
    const { kind, place } = target;
    tell({
      timestamp: timestamp(clock.now()),
      event,
      data: { sink: kind, place, waiting: this.#waiting.length, ...data },
    });
  }
}
