import { type Clock, type Log, messageOf, OperationError, timestamp } from '../base/index.ts';
import { Backlog, type BacklogBounds, type Waiting } from './backlog.ts';
import { chainNext, chainStart } from './chain.ts';
import type { AuditEntry } from './entry.ts';
import { type Stamp, type Written, writeEvent } from './record.ts';
import type { AuditSink, ChainHead } from './sinks/sink.ts';
import type { CallEntry } from './trail.ts';

export interface WriterOptions {
  readonly sink: AuditSink;
  /** UUID: names the chain. */
  readonly writer: string;
  readonly stamp: Stamp;
  readonly clock: Clock;
  readonly log: Log;
  readonly bounds: BacklogBounds;
  /** How long `close` tries to write what waits. */
  readonly closeWithinMs: number;
  /** Wait before the first attempt to recover; it doubles up to 5 s. 250 by default. */
  readonly firstRetryMs?: number;
}

const mostPerCommit = 4_000;
/** Of `audit.recovered`, which never waited. */
const recoveryOrdinal = 0;
/** What an entry takes in memory beside its text. */
const entryOverhead = 600;
const firstRetryMs = 250;
const slowestRetryMs = 5_000;

interface Flusher {
  readonly ordinal: number;
  resolve(): void;
  reject(error: Error): void;
}

type Placeable = Pick<Waiting, 'phase' | 'record' | 'text'>;

/** Omit that keeps a union a union. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * Commits what waits as soon as the last commit is done: under load commits grow by themselves, and a lone record waits
 * for nobody. When the store fails, intents are refused at once, the rest waits, and the store is opened again with
 * back-off.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #backlog: Backlog;
  #state: 'writing' | 'failing' | 'closed' = 'writing';
  #closing: Promise<void> | undefined;
  /** Of the last entry that is durable. */
  #position = 0;
  #hash: string;
  #added = 0;
  #draining = false;
  #flushers: Flusher[] = [];
  /** Taken from the backlog and not known to be durable. After a failure only the next `open` can tell. */
  #inDoubt: readonly Waiting[] = [];
  #retry: NodeJS.Timeout | undefined;
  #retries = 0;
  #failingSince = 0;
  #refused = 0;
  #lost = 0;
  /** What the `audit.recovered` that is under way says. */
  #telling = { refused: 0, lost: 0 };
  readonly #listeners = new Set<(entry: AuditEntry) => void>();

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#hash = chainStart(options.writer);
    this.#backlog = new Backlog(options.bounds);
  }

  /** Opens the store for the first time. Rejects with the store's own error. */
  async open(): Promise<void> {
    try {
      const { position } = await this.#options.sink.open();
      if (position !== 0) throw new Error('the store holds entries of a writer that has just begun');
    } catch (error) {
      await this.#options.sink.close();
      throw error;
    }
  }

  subscribe(listener: (entry: AuditEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  healthy(): boolean {
    return this.#state === 'writing' && !this.#closing && this.#backlog.hasRoom();
  }

  /** Resolves when the intent is durable; rejects when it is not known to be. */
  intent({ record, text }: Written<CallEntry>): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject };
      const open = this.#state === 'writing' && !this.#closing;
      if (open && this.#add({ phase: 'intent', record, text, settle })) return;
      this.#refused += 1;
      reject(unavailable(open ? 'its queue is full' : 'its store fails or is closed'));
    });
  }

  /** Takes an outcome or event. Never throws; what finds no room is counted, logged, and told by `audit.recovered`. */
  add(item: Without<Waiting, 'ordinal' | 'size' | 'settle'>): void {
    if (this.#state !== 'closed' && this.#add(item)) return;
    this.#lost += 1;
    if (Number.isInteger(Math.log2(this.#lost))) {
      this.#options.log.error({ lost: this.#lost, phase: item.phase }, 'audit records find no room');
    }
  }

  /** Resolves when everything added so far is durable (or refused); waits for recovery; rejects on `close`. */
  flush(): Promise<void> {
    if (this.#unwritten() === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#flushers.push({ ordinal: this.#added, resolve, reject });
    });
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
    while (this.#unwritten() > 0 && !late) await Promise.race([this.flush(), deadline]);
    clearTimeout(timer);
    clearTimeout(this.#retry);
    this.#state = 'closed';
    const unwritten = this.#unwritten();
    if (unwritten > 0) this.#options.log.error({ unwritten }, 'audit trail closed with records unwritten');
    this.#backlog.refuseIntents([], unavailable('closed'));
    await this.#options.sink.close();
    for (const flusher of this.#flushers.splice(0)) flusher.reject(unavailable('closed'));
  }

  /** Neither intents that were refused nor the word that the store is back, which is said again. */
  #unwritten(): number {
    const isOwed = (item: Waiting) => this.#state === 'writing' || !(isIntent(item) || isRecovery(item));
    return this.#backlog.size + this.#inDoubt.filter(isOwed).length;
  }

  #add(item: Without<Waiting, 'ordinal' | 'size'>): boolean {
    const size = item.text.length + entryOverhead;
    if (!this.#backlog.add({ ...item, size, ordinal: this.#added + 1 })) return false;
    this.#added += 1;
    this.#start();
    return true;
  }

  /** In a microtask, so that what is added in one turn shares a commit. */
  #start(): void {
    if (this.#draining || this.#state !== 'writing') return;
    this.#draining = true;
    queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    while (this.#state === 'writing' && this.#backlog.size > 0) {
      const items = this.#backlog.take(mostPerCommit);
      this.#inDoubt = items;
      try {
        await this.#append(items);
        this.#inDoubt = [];
        this.#retries = 0;
        for (const item of items) item.settle?.resolve();
        this.#flushed(items.at(-1)?.ordinal ?? 0);
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#draining = false;
  }

  async #append(items: readonly Placeable[]): Promise<void> {
    const entries = this.#place(items);
    await this.#options.sink.append(entries);
    this.#goOnAfter(entries);
  }

  /** The items as the next entries of the chain. */
  #place(items: readonly Placeable[]): AuditEntry[] {
    let hash = this.#hash;
    return items.map(({ phase, record, text }, index) => {
      hash = chainNext(hash, text);
      return { position: this.#position + 1 + index, phase, record, text, hash };
    });
  }

  #goOnAfter(entries: readonly AuditEntry[]): void {
    const last = entries.at(-1);
    if (!last) return;
    this.#position = last.position;
    this.#hash = last.hash;
    this.#tell(entries);
  }

  #tell(entries: readonly AuditEntry[]): void {
    for (const listener of this.#listeners) {
      try {
        for (const entry of entries) listener(entry);
      } catch (error) {
        this.#options.log.error({ error: messageOf(error) }, 'a listener of the audit trail failed');
      }
    }
  }

  #fail(error: unknown): void {
    this.#refused += this.#backlog.refuseIntents(this.#inDoubt, unavailable(messageOf(error)));
    if (this.#state === 'closed') return;
    this.#state = 'failing';
    this.#failingSince = this.#options.clock.monotonic();
    this.#options.log.error(
      { error: messageOf(error), waiting: this.#unwritten() },
      'audit store fails: calls are refused until it recovers',
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

  /** What the failed append left in the store is durable after all; of the rest, all but intents go again. */
  #resolveDoubt(head: ChainHead): void {
    const stored = this.#place(this.#inDoubt.slice(0, head.position - this.#position));
    const expected = stored.at(-1) ?? { position: this.#position, hash: this.#hash };
    if (head.position !== expected.position || (head.hash ?? expected.hash) !== expected.hash) {
      throw new Error('the store does not hold what was written to it');
    }
    this.#goOnAfter(stored);
    if (this.#inDoubt.slice(0, stored.length).some(isRecovery)) this.#told();
    const rest = this.#inDoubt.slice(stored.length).filter((item) => !isIntent(item) && !isRecovery(item));
    this.#backlog.putBack(rest);
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
    const event = { timestamp: timestamp(this.#options.clock.now()), event: 'audit.recovered', data };
    const written = writeEvent(event, this.#options.stamp('event'));
    this.#inDoubt = [{ phase: 'event', ...written, size: 0, ordinal: recoveryOrdinal }];
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

  /** Everything up to `ordinal` is durable: the queue is first in, first out. */
  #flushed(ordinal: number): void {
    const ready = this.#flushers.filter((flusher) => flusher.ordinal <= ordinal);
    this.#flushers = this.#flushers.filter((flusher) => flusher.ordinal > ordinal);
    for (const flusher of ready) flusher.resolve();
  }
}

function isIntent(item: Waiting): boolean {
  return item.phase === 'intent';
}

function isRecovery(item: Waiting): boolean {
  return item.ordinal === recoveryOrdinal;
}

/** An intent was not written: the call must not leave. The message is for the log alone. */
function unavailable(reason: string): OperationError {
  return new OperationError(`audit trail unavailable: ${reason}`);
}
