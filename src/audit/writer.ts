import { type Clock, type Log, messageOf, OperationError, timestamp } from '../base/index.ts';
import { Backlog, type BacklogBounds, type Waiting } from './backlog.ts';
import { ChainEnd } from './chain-end.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { AuditEntry } from './entry.ts';
import { type Stamp, type Written, writeEvent } from './record.ts';
import { Settlers } from './settlers.ts';
import type { AuditSink, ChainHead, WriterHead } from './sinks/sink.ts';
import type { CallEntry } from './trail.ts';

export interface WriterOptions {
  readonly sink: AuditSink;
  /** UUID: names the chain. */
  readonly writer: string;
  readonly stamp: Stamp;
  readonly checkpointer: Checkpointer;
  /** A checkpoint is due this long after the last, where there is anything new. */
  readonly checkpointEveryMs: number;
  /**
   * `strict`: an intent resolves once it is durable. `batched`: once it is accepted; what was accepted is written at the latest
   * `batchMs` later.
   */
  readonly durability: 'strict' | 'batched';
  /** Calls that destroy are refused while the store fails. Others: likewise, or they go on while their records wait in memory. */
  readonly whenStoreFails: 'refuse' | 'go on';
  readonly clock: Clock;
  readonly log: Log;
  readonly bounds: BacklogBounds;
  /** How long `close` tries to write what waits. */
  readonly closeWithinMs: number;
  /** Wait before the first attempt to recover; it doubles up to 5 s. 250 by default. */
  readonly firstRetryMs?: number;
}

const mostPerCommit = 4_000;
/** The window of `batched`: what the death of the process takes along, beside a commit that is under way. */
export const batchMs = 50;
/** With `strict`, what nobody waits for (the outcome of a call that has left) may wait so long for others to share its commit. */
const companyMs = 4;
const recoveredEvent = 'audit.recovered';
/** What an entry takes in memory beside its text. */
const entryOverhead = 600;
const firstRetryMs = 250;
const slowestRetryMs = 5_000;
/** A refusal waits for the disk this long at most: longer than the store waits for a lock, so that its failure comes first. */
const settling = { withinMs: 10_000, most: 2_000 };

interface Flusher {
  readonly ordinal: number;
  resolve(): void;
  reject(error: Error): void;
}

/** Omit that keeps a union a union. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * What somebody waits for is committed as soon as the last commit is done: under load commits grow by themselves, and a lone
 * caller waits for nobody. The rest comes along, or after a short while by itself. When the store fails, intents are refused at
 * once, the rest waits, and the store is opened again with back-off.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #backlog: Backlog;
  #state: 'writing' | 'failing' | 'closed' = 'writing';
  #closing: Promise<void> | undefined;
  readonly #end: ChainEnd;
  /** Other chains in the store when it was opened. */
  #others: readonly WriterHead[] = [];
  #added = 0;
  #draining: Promise<void> | null = null;
  #batch: NodeJS.Timeout | undefined;
  /** Whether anybody waits for something in the backlog. */
  #isAwaited = false;
  #sealing: NodeJS.Timeout | undefined;
  #flushers: Flusher[] = [];
  readonly #settlers = new Settlers(settling);
  /** Taken from the backlog and not known to be durable. After a failure only the next `open` can tell. */
  #inDoubt: readonly Waiting[] = [];
  #retry: NodeJS.Timeout | undefined;
  #retries = 0;
  #failingSince = 0;
  #refused = 0;
  #lost = 0;
  /** What the `audit.recovered` that is under way says. */
  #telling = { refused: 0, lost: 0 };

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#end = new ChainEnd(options.writer, options.log);
    this.#backlog = new Backlog(options.bounds);
  }

  /** Opens the store for the first time. Rejects with the store's own error. */
  async open(): Promise<void> {
    try {
      const opened = await this.#options.sink.open();
      if (opened.position !== 0) throw new Error('the store holds entries of a writer that has just begun');
      this.#others = opened.others ?? [];
    } catch (error) {
      await this.#options.sink.close();
      throw error;
    }
    this.#sealing = setInterval(() => this.#seal(), this.#options.checkpointEveryMs);
    this.#sealing.unref();
  }

  subscribe(listener: (entry: AuditEntry) => void): () => void {
    return this.#end.subscribe(listener);
  }

  healthy(): boolean {
    return this.#state === 'writing' && !this.#closing && this.#backlog.hasRoom();
  }

  /**
   * Resolves when the call may leave: its intent is durable, or is certain to be written unless the process dies first (see
   * `durability` and `whenStoreFails`). Rejects when it must not leave.
   */
  intent({ record, text }: Written<CallEntry>, { destructive }: { destructive: boolean }): Promise<void> {
    const whenStoreFails = destructive ? 'refuse' : this.#options.whenStoreFails;
    const writing = this.#state === 'writing';
    const taken = !this.#closing && (writing || (this.#state === 'failing' && whenStoreFails === 'go on'));
    if (taken && (!writing || this.#options.durability === 'batched')) {
      if (this.#add({ phase: 'intent', record, text })) return Promise.resolve();
      return this.#refuse('its queue is full');
    }
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject, whenStoreFails };
      if (taken && this.#add({ phase: 'intent', record, text, settle })) return;
      resolve(this.#refuse(taken ? 'its queue is full' : 'its store fails or is closed'));
    });
  }

  async #refuse(reason: string): Promise<never> {
    this.#refused += 1;
    throw unavailable(reason);
  }

  /** Takes an outcome or event. Never throws; what finds no room is counted, logged, and told by `audit.recovered`. */
  add(item: Without<Waiting, 'ordinal' | 'size' | 'settle' | 'own'>): void {
    if (this.#state !== 'closed' && this.#add(item)) return;
    this.#lost += 1;
    if (Number.isInteger(Math.log2(this.#lost))) {
      this.#options.log.error({ lost: this.#lost, phase: item.phase }, 'audit records find no room');
    }
  }

  /** Records that are taken and not known to be stored. */
  waiting(): number {
    return this.#backlog.size + this.#inDoubt.length;
  }

  /** Resolves when everything added so far is durable (or refused); waits for recovery; rejects on `close`. */
  flush(): Promise<void> {
    if (this.#unwritten() === 0) return Promise.resolve();
    const flushed = new Promise<void>((resolve, reject) => {
      this.#flushers.push({ ordinal: this.#added, resolve, reject });
    });
    this.#start();
    return flushed;
  }

  /**
   * Resolves once everything added so far is as durable as `durability` says: at once with `batched`. At once as well when the store
   * fails, is closed, or is so far behind that intents find no room, or that too many wait: it must not keep a refusal from its caller.
   */
  settled(): Promise<void> {
    const waits =
      this.#options.durability === 'strict' && this.#state === 'writing' && this.#backlog.hasRoom();
    if (!waits || this.waiting() === 0) return Promise.resolve();
    this.#isAwaited = true;
    this.#start();
    return this.#settlers.wait(this.#added);
  }

  /** Resolves when everything added so far is durable and under a signed checkpoint. Never, while the store fails. */
  async sealed(): Promise<void> {
    await this.flush();
    const { position } = this.#end;
    this.#seal();
    await this.#options.checkpointer.sealedThrough(position);
  }

  /** Refuses new intents, writes what waits within `closeWithinMs`, and releases the store. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let late = false;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.closeWithinMs);
    }).then(() => {
      late = true;
    });
    clearInterval(this.#sealing);
    while (this.#unwritten() > 0 && !late) await Promise.race([this.flush(), deadline]);
    if (!late) await Promise.race([this.#lastCheckpoint(), deadline]);
    clearTimeout(timer);
    clearTimeout(this.#retry);
    clearTimeout(this.#batch);
    this.#state = 'closed';
    const unwritten = this.#unwritten();
    if (unwritten > 0) this.#options.log.error({ unwritten }, 'audit trail closed with records unwritten');
    this.#backlog.stopWaiting([], unavailable('closed'), false);
    this.#settlers.settle();
    await this.#options.sink.close();
    for (const flusher of this.#flushers.splice(0)) flusher.reject(unavailable('closed'));
  }

  async #lastCheckpoint(): Promise<void> {
    do {
      this.#seal();
      await this.#draining;
    } while (this.#draining || (this.#state === 'writing' && this.#options.checkpointer.want()));
    await this.#options.checkpointer.settled();
  }

  /** Neither intents that wait and were refused, nor what the chain says of itself, which is said again. */
  #unwritten(): number {
    const doubtful = this.#inDoubt.filter((item) => !item.own && (this.#state === 'writing' || !item.settle));
    return this.#backlog.size + doubtful.length;
  }

  #add(item: Without<Waiting, 'ordinal' | 'size'>): boolean {
    const size = item.text.length + entryOverhead;
    if (!this.#backlog.add({ ...item, size, ordinal: this.#added + 1 })) return false;
    this.#added += 1;
    if (item.settle) this.#isAwaited = true;
    this.#start();
    return true;
  }

  /** In a microtask, so that what is added in one turn shares a commit; or after a while, where nobody waits. */
  #start(): void {
    if (this.#draining || this.#state !== 'writing' || this.#backlog.size === 0) return;
    const isMuch = this.#backlog.size >= mostPerCommit;
    if (this.#isAwaited || this.#closing || this.#flushers.length > 0 || isMuch) this.#drain();
    else
      this.#batch ??= setTimeout(
        () => this.#drain(),
        this.#options.durability === 'strict' ? companyMs : batchMs,
      );
  }

  #seal(): void {
    if (this.#state !== 'writing' || !this.#options.checkpointer.want()) return;
    if (!this.#draining) this.#drain();
  }

  #drain(): void {
    clearTimeout(this.#batch);
    this.#batch = undefined;
    this.#draining = Promise.resolve()
      .then(() => this.#commit())
      .finally(() => {
        this.#draining = null;
        // A checkpoint may have been asked for after the last commit.
        if (this.#state === 'writing' && this.#options.checkpointer.due(0)) this.#drain();
        else this.#start();
      });
  }

  async #commit(): Promise<void> {
    if (this.#state !== 'writing' || (this.#backlog.size === 0 && !this.#options.checkpointer.due(0))) return;
    this.#isAwaited = false;
    const items = this.#withOwn(this.#backlog.take(mostPerCommit));
    this.#inDoubt = items;
    try {
      await this.#append(items);
      this.#inDoubt = [];
      this.#retries = 0;
      for (const item of items) item.settle?.resolve();
      const last = items.findLast((item) => !item.own)?.ordinal ?? 0;
      this.#flushed(this.#backlog.size === 0 ? this.#added : last);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The items, and what the chain has to say of itself: that it begins, and where it stands. */
  #withOwn(items: readonly Waiting[]): readonly Waiting[] {
    const { checkpointer } = this.#options;
    const all = this.#end.position === 0 ? [checkpointer.begin(this.#others), ...items] : items;
    const last = checkpointer.due(all.length) ? this.#end.place(all).at(-1) : undefined;
    if (last) return [...all, checkpointer.seal(last)];
    return all.length === 0 ? [checkpointer.seal(this.#end.last())] : all;
  }

  async #append(items: readonly Waiting[]): Promise<void> {
    const entries = this.#end.place(items);
    await this.#options.sink.append(entries);
    this.#advance(entries);
  }

  #advance(entries: readonly AuditEntry[]): void {
    this.#end.advance(entries);
    this.#options.checkpointer.written(entries);
  }

  #fail(error: unknown): void {
    const { taken, refused } = this.#backlog.stopWaiting(this.#inDoubt, unavailable(messageOf(error)));
    this.#inDoubt = taken;
    this.#refused += refused;
    this.#settlers.settle();
    if (this.#state === 'closed') return;
    this.#state = 'failing';
    this.#failingSince = this.#options.clock.monotonic();
    this.#options.log.error(
      { error: messageOf(error), waiting: this.#unwritten() },
      'audit store fails: calls that it must hold are refused until it recovers',
    );
    this.#retryLater();
  }

  #retryLater(): void {
    const first = this.#options.firstRetryMs ?? firstRetryMs;
    const delay = Math.min(slowestRetryMs, first * 2 ** Math.min(this.#retries, 10));
    this.#retries += 1;
    this.#retry = setTimeout(() => void this.#recover(), delay);
  }

  /** Opens the store again, learns what the failed append left there, and says so in the trail itself. */
  async #recover(): Promise<void> {
    try {
      await this.#options.sink.close();
      if (this.#state === 'closed') return;
      this.#resolveDoubt(await this.#options.sink.open());
      await this.#tellRecovery();
    } catch (error) {
      this.#options.log.debug({ error: messageOf(error) }, 'audit store still fails');
      if (this.#state === 'failing') this.#retryLater();
      return;
    }
    if (this.#state !== 'failing') return;
    this.#state = 'writing';
    if (this.#backlog.size === 0) this.#flushed(this.#added);
    this.#start();
  }

  /** What the failed append left in the store is durable after all; of the rest, all but refused intents go again. */
  #resolveDoubt(head: ChainHead): void {
    const kept = this.#inDoubt.slice(0, Math.max(0, head.position - this.#end.position));
    this.#advance(this.#end.place(kept));
    if (!this.#end.isAt(head)) throw new Error('the store does not hold what was written to it');
    if (kept.some(({ own }) => own === recoveredEvent)) this.#told();
    this.#backlog.putBack(this.#inDoubt.slice(kept.length).filter(({ own, settle }) => !own && !settle));
    this.#inDoubt = [];
  }

  async #tellRecovery(): Promise<void> {
    this.#telling = { refused: this.#refused, lost: this.#lost };
    const data = {
      outage_ms: Math.round(this.#options.clock.monotonic() - this.#failingSince),
      refused_intents: this.#refused,
      delayed_records: this.#backlog.size,
      lost_records: this.#lost,
    };
    const event = { timestamp: timestamp(this.#options.clock.now()), event: recoveredEvent, data };
    const written = writeEvent(event, this.#options.stamp('event'));
    this.#inDoubt = this.#withOwn([{ phase: 'event', ...written, own: recoveredEvent, size: 0, ordinal: 0 }]);
    await this.#append(this.#inDoubt);
    this.#inDoubt = [];
    this.#told();
    this.#options.log.warn(data, 'audit store has recovered');
  }

  /** What `audit.recovered` has said is not said again. */
  #told(): void {
    this.#refused -= this.#telling.refused;
    this.#lost -= this.#telling.lost;
    this.#telling = { refused: 0, lost: 0 };
  }

  /** Everything up to `ordinal` is durable, or refused: the queue is first in, first out. */
  #flushed(ordinal: number): void {
    this.#settlers.settle(ordinal);
    const ready = this.#flushers.filter((flusher) => flusher.ordinal <= ordinal);
    this.#flushers = this.#flushers.filter((flusher) => flusher.ordinal > ordinal);
    for (const flusher of ready) flusher.resolve();
  }
}

/** An intent was not written: the call must not leave. The message is for the log alone. */
function unavailable(reason: string): OperationError {
  return new OperationError(`audit trail unavailable: ${reason}`);
}
