import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Log, messageOf, OperationError } from '../base/index.ts';
import type { AuditCopyConfig, AuditorKey, PostgresConfig } from '../config/index.ts';
import { postgresPlace } from '../store/index.ts';
import {
  keyedHasher,
  keyedReference,
  keyedResultHasher,
  keyedValueHasher,
  plainHasher,
  plainResultHasher,
} from './arguments-hash.ts';
import { createCapture } from './capture/capture.ts';
import { createSeal } from './capture/sealed.ts';
import { Checkpointer } from './checkpointer.ts';
import type { CopyState } from './copies/copier.ts';
import { type CopyMeans, createCopies } from './copies/create.ts';
import { withCopies } from './copies/fan-out.ts';
import { openAuditKeys } from './keys.ts';
import { createStamp, type Stamp, writeCall, writeEvent } from './record.ts';
import { retentionStore } from './retention/open.ts';
import { type Keep, Retention } from './retention/retention.ts';
import { auditFile } from './schema.ts';
import { postgresSink } from './sinks/postgres.ts';
import type { AuditSink } from './sinks/sink.ts';
import { sqliteSink } from './sinks/sqlite.ts';
import type { AuditTrail } from './trail.ts';
import { directoryWitness, type Witness } from './witness.ts';
import { Writer } from './writer.ts';

export interface AuditTrailOptions {
  /** Created with mode 0700 where it is missing. The trail is `audit.db` in it, mode 0600, unless `postgres` has it. */
  readonly dataDir: string;
  /** Keeps the trail instead of `dataDir`. */
  readonly postgres?: PostgresConfig | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Records that may wait for the disk before intents are refused. 20,000 by default. */
  readonly queueRecords?: number;
  /** Bytes that may wait for the disk before intents are refused. 32 MB by default. */
  readonly queueBytes?: number;
  /** How long a write waits for another process's lock. 5,000 by default. */
  readonly busyTimeoutMs?: number;
  /** Cap on the file: when it is reached, the store counts as full. None by default. */
  readonly maxBytes?: number;
  /** How long `close` tries to write what waits while the store fails. 5,000 by default. */
  readonly closeWithinMs?: number;
  /** Places that get copies. None by default. */
  readonly copies?: { readonly configs: readonly AuditCopyConfig[]; readonly means: CopyMeans };
  /** `strict` by default. */
  readonly durability?: 'strict' | 'batched';
  /** For calls that do not destroy; `refuse` by default. */
  readonly whenStoreFails?: 'refuse' | 'go on';
  /** Keyed by default. */
  readonly argumentsHash?: 'hmac-sha256' | 'sha256';
  /** Who may read arguments that are captured `encrypted`; null, or none given: nobody, and such calls are refused. */
  readonly auditorKey?: AuditorKey | null;
  /** A signed checkpoint after so many entries, or so long; 10,000 and 10 s by default. */
  readonly checkpoints?: { readonly everyRecords?: number; readonly everyMs?: number };
  /** Where checkpoints are kept, beside the data directory. */
  readonly witnesses?: readonly Witness[];
  /** How long entries are kept, as it was written and in milliseconds; for good by default. */
  readonly keep?: Keep | null;
}

export interface OpenAuditTrail extends AuditTrail {
  /** Names this process's entries in the store: a UUID. */
  readonly writer: string;
  /** The file, or host and database. */
  readonly file: string;
  /** Records on their way to the store. */
  waiting(): number;
  /** What became of the copies. */
  copies(): readonly CopyState[];
  /** Resolves when everything so far is durable and under a signed checkpoint. Never, while the store fails. */
  sealed(): Promise<void>;
}

/**
 * Opens the trail. Several processes may write to one directory.
 * @throws OperationError when the store cannot be opened: the product must not start without it.
 */
export async function createAuditTrail(options: AuditTrailOptions): Promise<OpenAuditTrail> {
  const file = options.postgres ? postgresPlace(options.postgres.url) : auditFile(options.dataDir);
  const id = randomUUID();
  const closeWithinMs = options.closeWithinMs ?? 5_000;
  const { checkpoints = {}, witnesses = [], clock, log } = options;
  const stamp = createStamp(clock, `${hostname()}:${process.pid}`);
  const keys = openAuditKeys(options.dataDir, clock);
  const [hashingKey] = keys.hashing;
  const seal = options.auditorKey ? await createSeal(options.auditorKey) : null;
  const plain = options.argumentsHash === 'sha256';
  if (!hashingKey) throw new OperationError('the audit trail has no key to hash with');
  const checkpointer = new Checkpointer({
    writer: id,
    signer: keys.signer,
    clock,
    log,
    stamp,
    everyRecords: checkpoints.everyRecords ?? 10_000,
    witnesses: [directoryWitness(checkpointDirectory(options.dataDir)), ...witnesses],
    tell: (event) => tell(event),
  });
  const { configs, means } = options.copies ?? { configs: [], means: null };
  const copies = createCopies({ configs, means, writer: id, clock, log, tell: (event) => tell(event) });
  const writer = new Writer({
    sink: withCopies(storeOf(options, id), copies),
    writer: id,
    stamp,
    checkpointer,
    checkpointEveryMs: checkpoints.everyMs ?? 10_000,
    durability: options.durability ?? 'strict',
    whenStoreFails: options.whenStoreFails ?? 'refuse',
    clock,
    log,
    bounds: { records: options.queueRecords ?? 20_000, bytes: options.queueBytes ?? 32 * 1024 * 1024 },
    closeWithinMs,
  });
  await writer.open().catch((error: unknown) => {
    throw new OperationError(`cannot open the audit trail ${file}: ${messageOf(error)}`, {
      hint: options.postgres
        ? 'check that the database is there and that this user may create in it'
        : 'check that the directory is writable, or name another one with --data',
      cause: error,
    });
  });
  const trail = trailOf(writer, stamp);
  const tell = trail.event;
  const sealed = () => writer.sealed();
  const retention = options.keep
    ? new Retention({
        store: retentionStore({ ...options, self: id, keys: keys.verifiers }),
        ...{ keep: options.keep, by: 'configuration', clock, log, tell, sealed },
      })
    : null;
  retention?.start();
  return {
    ...trail,
    capture: createCapture({
      hashArguments: plain ? plainHasher : keyedHasher(hashingKey),
      hashValue: keyedValueHasher(hashingKey),
      seal,
    }),
    hashResult: plain ? plainResultHasher : keyedResultHasher(hashingKey),
    reference: keyedReference(hashingKey),
    async close() {
      await retention?.stop();
      copies.stopBlocking();
      await trail.close();
      await copies.close(closeWithinMs);
    },
    writer: id,
    file,
    waiting: () => writer.waiting(),
    copies: copies.state,
    sealed,
  };
}

function storeOf(options: AuditTrailOptions, writer: string): AuditSink {
  const { dataDir, postgres, log, busyTimeoutMs = 5_000, maxBytes = 0 } = options;
  if (postgres) return postgresSink({ url: postgres.url, writer, log });
  return sqliteSink({ file: auditFile(dataDir), writer, busyTimeoutMs, maxBytes });
}

/** The newest checkpoint of each writer. */
export function checkpointDirectory(dataDir: string): string {
  return join(dataDir, 'audit-checkpoints');
}

function trailOf(writer: Writer, stamp: Stamp): Omit<AuditTrail, 'capture' | 'hashResult' | 'reference'> {
  return {
    // `async`: whatever goes wrong while a record is made rejects, and the call does not leave.
    async intent(record, { destructive = true } = {}) {
      await writer.intent(writeCall(record, stamp('intent')), { destructive });
    },
    outcome: (record) => writer.add({ phase: 'outcome', ...writeCall(record, stamp('outcome')) }),
    event: (event) => writer.add({ phase: 'event', ...writeEvent(event, stamp('event')) }),
    subscribe: (listener) => writer.subscribe(listener),
    healthy: () => writer.healthy(),
    settled: () => writer.settled(),
    flush: () => writer.flush(),
    close: () => writer.close(),
  };
}
