import { type Clock, type Log, messageOf, timestamp } from '../base/index.ts';
import type { Waiting } from './backlog.ts';
import type { AuditEntry } from './entry.ts';
import { chainStartedEvent, checkpointEvent } from './entry-text.ts';
import type { AuditKeys } from './keys.ts';
import { type Checkpoint, signCheckpoint } from './note.ts';
import { type Stamp, writeEvent } from './record.ts';
import { headsData } from './retention/removal.ts';
import type { WriterHead } from './sinks/sink.ts';
import type { AuditEvent } from './trail.ts';
import type { Witness } from './witness.ts';

export interface CheckpointerOptions {
  readonly writer: string;
  readonly signer: AuditKeys['signer'];
  readonly clock: Clock;
  readonly log: Log;
  readonly stamp: Stamp;
  /** A checkpoint is due after so many entries. */
  readonly everyRecords: number;
  readonly witnesses: readonly Witness[];
  /** Takes an event for the trail. */
  readonly tell: (event: AuditEvent) => void;
}

interface Signed {
  readonly note: string;
  readonly checkpoint: Checkpoint;
}

/**
 * What the chain says of itself: where other chains stood when it began, and signed checkpoints of where it stands. A checkpoint
 * is an entry of the chain that it is about, and goes to the witnesses once it is durable.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  /** Entries since the last checkpoint. */
  #since = 0;
  #wanted = false;
  #signed: Signed | null = null;
  /** Up to where the chain is sealed, durably. */
  #sealed = 0;
  #sealers: { readonly position: number; resolve(): void }[] = [];
  readonly #failing = new Set<string>();
  /** The newest note for each witness that is being served. */
  readonly #waiting = new Map<Witness, Signed>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  /** Whether a checkpoint is due once `count` more entries are written. */
  due(count: number): boolean {
    const since = this.#since + count;
    return since >= this.#options.everyRecords || (this.#wanted && since > 0);
  }

  /** The next commit ends in a checkpoint, unless there is nothing new. @returns whether there is */
  want(): boolean {
    this.#wanted = this.#since > 0;
    return this.#wanted;
  }

  /** The first entry of a chain. It names the newest of the other chains, so that none can disappear as a whole. */
  begin(others: readonly WriterHead[]): Waiting {
    return this.#own(chainStartedEvent, { others: others.length, ...headsData(others) });
  }

  /** The checkpoint after `last`. */
  seal(last: Pick<AuditEntry, 'position' | 'hash'>): Waiting {
    const { writer, signer, clock } = this.#options;
    const time = timestamp(clock.now());
    const checkpoint = { writer, position: last.position, hash: last.hash, time };
    const note = signCheckpoint(checkpoint, signer);
    this.#signed = { note, checkpoint };
    // Hex: base64 may look like a credential, and would be taken out.
    const signature = Buffer.from(note.slice(note.lastIndexOf(' ') + 1), 'base64').toString('hex');
    return this.#own(checkpointEvent, { position: last.position, hash: last.hash, time, signature });
  }

  /** Told of what is durable. */
  written(entries: readonly AuditEntry[]): void {
    const sealed = entries.findLastIndex(
      ({ record }) => 'event' in record && record.event === checkpointEvent,
    );
    if (sealed === -1) {
      this.#since += entries.length;
      return;
    }
    this.#since = entries.length - 1 - sealed;
    this.#wanted = false;
    this.#sealed = (entries[sealed]?.position ?? 1) - 1;
    for (const { resolve } of this.#sealers.filter(({ position }) => position <= this.#sealed)) resolve();
    this.#sealers = this.#sealers.filter(({ position }) => position > this.#sealed);
    if (this.#signed) this.#publish(this.#signed);
    this.#signed = null;
  }

  /** Resolves once a checkpoint after `position` is durable. */
  sealedThrough(position: number): Promise<void> {
    if (position <= this.#sealed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#sealers.push({ position, resolve });
    });
  }

  /** Resolves when no note is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** One note at a time to each witness; of those that wait the newest makes up for the rest. */
  #publish(signed: Signed): void {
    for (const witness of this.#options.witnesses) {
      const busy = this.#waiting.has(witness);
      this.#waiting.set(witness, signed);
      if (busy) continue;
      const run = this.#send(witness).finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
  }

  async #send(witness: Witness): Promise<void> {
    for (let next = this.#waiting.get(witness); next; next = this.#newer(witness, next)) {
      await witness.publish(next.note, next.checkpoint).then(
        () => this.#kept(witness.name),
        (error: unknown) => this.#lost(witness.name, error),
      );
    }
    this.#waiting.delete(witness);
  }

  #newer(witness: Witness, sent: Signed): Signed | undefined {
    const waiting = this.#waiting.get(witness);
    return waiting === sent ? undefined : waiting;
  }

  #lost(witness: string, error: unknown): void {
    if (this.#failing.has(witness)) return;
    this.#failing.add(witness);
    this.#options.log.error({ witness, error: messageOf(error) }, 'a checkpoint was not kept elsewhere');
    this.#tell('audit.witness_failed', witness);
  }

  #kept(witness: string): void {
    if (this.#failing.delete(witness)) this.#tell('audit.witness_recovered', witness);
  }

  #tell(event: string, witness: string): void {
    this.#options.tell({ timestamp: timestamp(this.#options.clock.now()), event, data: { witness } });
  }

  #own(event: string, data: Readonly<Record<string, string | number>>): Waiting {
    const { clock, stamp } = this.#options;
    const written = writeEvent({ timestamp: timestamp(clock.now()), event, data }, stamp('event'));
    return { phase: 'event', ...written, own: event, size: 0, ordinal: 0 };
  }
}
