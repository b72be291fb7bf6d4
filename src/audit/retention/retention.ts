import { setTimeout as wait } from 'node:timers/promises';
import { type Clock, type Log, messageOf, timestamp } from '../../base/index.ts';
import type { AuditEvent } from '../trail.ts';
import type { Plan } from './plan.ts';
import { removalData, removalsData, removalsEvent, removedEvent } from './removal.ts';
import type { RetentionStore } from './store.ts';

/** How long entries are kept. */
export interface Keep {
  /** As it was written: `400d`. */
  readonly text: string;
  readonly ms: number;
}

export interface RetentionOptions {
  readonly store: RetentionStore;
  readonly keep: Keep;
  /** Who or what asks, for the record: the configuration, or a person. */
  readonly by: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes an event for the trail. */
  readonly tell: (event: AuditEvent) => void;
  /** Resolves when all that was told is durable, and under a signed checkpoint. */
  readonly sealed: () => Promise<void>;
}

const everyMs = 6 * 3_600_000;
/** Between two removals the sink has its turn. */
const pauseMs = 10;
/** A clock that is set while the gateway runs must not be what makes entries old. */
const mostClockStepMs = 3_600_000;

/**
 * Removes what is older than asked: whole sealed stretches of chains. What goes is said first, in the trail, under a signed
 * checkpoint; then it goes in small steps. After a crash in between, the next run goes on.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #began: { readonly now: number; readonly monotonic: number };
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  #halt: () => void = () => {};
  readonly #halted = new Promise<void>((resolve) => {
    this.#halt = resolve;
  });
  #failing = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#began = { now: options.clock.now(), monotonic: options.clock.monotonic() };
  }

  /** Runs now, and every six hours. */
  start(): void {
    this.#again();
    this.#timer = setInterval(() => this.#again(), everyMs);
    this.#timer.unref();
  }

  /** @returns what was removed, or was left to be removed by an earlier run */
  async run(): Promise<{ plan: Plan; removed: number }> {
    const { store, keep, by, clock } = this.#options;
    let removed = await this.#removeReleased();
    const plan = await store.plan(timestamp(clock.now() - keep.ms));
    for (const { writer, reason } of plan.kept) this.#fail(`${writer}: ${reason}`);
    if (plan.removals.length === 0 || this.#stopped) return { plan, removed };
    for (const removal of plan.removals)
      this.#tell(removedEvent, removalData(removal, { keep: keep.text, by }));
    for (const data of removalsData(plan.restated)) this.#tell(removalsEvent, data);
    // While the store of the trail fails this may take long, and a stop must not wait for it.
    await Promise.race([this.#options.sealed(), this.#halted]);
    if (this.#stopped) return { plan, removed };
    await store.release(plan.removals);
    removed += await this.#removeReleased();
    return { plan, removed };
  }

  /** Lets a step that is under way end; what is left is for the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#halt();
    clearInterval(this.#timer);
    await this.#running;
    await this.#options.store.close();
  }

  #again(): void {
    this.#running = this.#running.then(() => this.#attempt());
  }

  async #attempt(): Promise<void> {
    if (this.#stopped) return;
    try {
      const step = this.#clockStep();
      if (Math.abs(step) > mostClockStepMs) {
        this.#options.log.warn(
          { step_ms: step },
          'the clock was set: nothing is removed before the next start',
        );
        this.#fail('the clock was set while the gateway ran');
        return;
      }
      const { plan, removed } = await this.run();
      if (removed > 0) this.#options.log.info({ removed }, 'old audit entries are removed');
      if (plan.kept.length === 0) this.#failing = false;
    } catch (error) {
      if (this.#stopped) return;
      this.#options.log.error({ error: messageOf(error) }, 'old audit entries cannot be removed');
      this.#fail(messageOf(error));
    }
  }

  #clockStep(): number {
    const { clock } = this.#options;
    return Math.round(clock.now() - this.#began.now - (clock.monotonic() - this.#began.monotonic));
  }

  async #removeReleased(): Promise<number> {
    let removed = 0;
    while (!this.#stopped) {
      const count = await this.#options.store.removeSome();
      if (count === 0) break;
      removed += count;
      await wait(pauseMs);
    }
    return removed;
  }

  #fail(reason: string): void {
    if (!this.#failing) this.#tell('audit.retention_failed', { reason });
    this.#failing = true;
  }

  #tell(event: string, data: NonNullable<AuditEvent['data']>): void {
    this.#options.tell({ timestamp: timestamp(this.#options.clock.now()), event, data });
  }
}
