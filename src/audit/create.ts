import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Clock, type Log, messageOf, OperationError } from '../base/index.ts';
import { createStamp, type Stamp, writeCall, writeEvent } from './record.ts';
import { auditFile } from './schema.ts';
import { sqliteSink } from './sinks/sqlite.ts';
import type { AuditTrail } from './trail.ts';
import { Writer } from './writer.ts';

export interface AuditTrailOptions {
  /** Created with mode 0700 where it is missing. The trail is `audit.db` in it, mode 0600. */
  readonly dataDir: string;
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
}

export interface SqliteAuditTrail extends AuditTrail {
  /** Names this process's entries in the store: a UUID. */
  readonly writer: string;
  readonly file: string;
}

/**
 * Opens the trail. Several processes may write to one directory.
 * @throws OperationError when the store cannot be opened: the product must not start without it.
 */
export async function createAuditTrail(options: AuditTrailOptions): Promise<SqliteAuditTrail> {
  const file = auditFile(options.dataDir);
  const id = randomUUID();
  const stamp = createStamp(options.clock, `${hostname()}:${process.pid}`);
  const writer = new Writer({
    sink: sqliteSink({
      file,
      writer: id,
      busyTimeoutMs: options.busyTimeoutMs ?? 5_000,
      maxBytes: options.maxBytes ?? 0,
    }),
    writer: id,
    stamp,
    clock: options.clock,
    log: options.log,
    bounds: { records: options.queueRecords ?? 20_000, bytes: options.queueBytes ?? 32 * 1024 * 1024 },
    closeWithinMs: options.closeWithinMs ?? 5_000,
  });
  await writer.open().catch((error: unknown) => {
    throw new OperationError(`cannot open the audit trail ${file}: ${messageOf(error)}`, {
      hint: 'check that the directory is writable, or name another one with --data',
      cause: error,
    });
  });
  return { ...trailOf(writer, stamp), writer: id, file };
}

function trailOf(writer: Writer, stamp: Stamp): AuditTrail {
  return {
    // `async`: whatever goes wrong while a record is made rejects, and the call does not leave.
    async intent(record) {
      await writer.intent(writeCall(record, stamp('intent')));
    },
    outcome: (record) => writer.add({ phase: 'outcome', ...writeCall(record, stamp('outcome')) }),
    event: (event) => writer.add({ phase: 'event', ...writeEvent(event, stamp('event')) }),
    subscribe: (listener) => writer.subscribe(listener),
    healthy: () => writer.healthy(),
    flush: () => writer.flush(),
    close: () => writer.close(),
  };
}
