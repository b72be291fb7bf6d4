import { randomUUID } from 'node:crypto';
import { type Clock, type Log, messageOf, OperationError } from '../base/index.ts';
import { neutralEvent, neutralRecord, sizeOf } from './record.ts';
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
  const writer = new Writer({
    sink: sqliteSink({
      file,
      writer: id,
      busyTimeoutMs: options.busyTimeoutMs ?? 5_000,
      maxBytes: options.maxBytes ?? 0,
    }),
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
  return { ...trailOf(writer), writer: id, file };
}

function trailOf(writer: Writer): AuditTrail {
  return {
    async intent(record) {
      const neutral = neutralRecord(record);
      await writer.intent(neutral, sizeOf(neutral));
    },
    outcome(record) {
      const neutral = neutralRecord(record);
      writer.add({ phase: 'outcome', record: neutral, size: sizeOf(neutral) });
    },
    event(event) {
      const neutral = neutralEvent(event);
      writer.add({ phase: 'event', record: neutral, size: sizeOf(neutral) });
    },
    healthy: () => writer.healthy(),
    flush: () => writer.flush(),
    close: () => writer.close(),
  };
}
