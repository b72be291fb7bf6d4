import type { AuditStore } from '../audit/index.ts';
import { messageOf, OperationError, timestamp } from '../base/index.ts';
import { auditStoreOf } from './audit-store.ts';
import type { CommandContext, Given } from './command.ts';

export interface CommandEvent {
  readonly event: string;
  readonly client_id?: string | null;
  readonly subject?: string | null;
  readonly data: Readonly<Record<string, string | number | null>>;
}

export interface Recording {
  readonly given: Given;
  readonly context: CommandContext;
  /** The gateway's. */
  readonly directory: string;
}

/**
 * Where the gateway keeps its trail.
 * @throws OperationError where only its configuration can tell
 */
export async function trailOf({ given, context, directory }: Recording): Promise<AuditStore> {
  if (given.has('config')) return auditStoreOf(given, context);
  const { notedPostgres } = await import('../audit/index.ts');
  const place = notedPostgres(directory);
  if (place === null) return { dataDir: directory, postgres: null };
  throw new OperationError(`the audit log of this gateway is in PostgreSQL: ${place}`, {
    hint: 'name its configuration instead of its data directory: --config FILE',
  });
}

export interface CommandRecord {
  write(event: CommandEvent): void;
  /** @throws OperationError where not all of it is on record: what was done is done */
  close(): Promise<void>;
}

/**
 * For what gives somebody something: opens the trail first.
 * @throws OperationError where it cannot be opened: then nothing must be done
 */
async function openRecord(recording: Recording): Promise<CommandRecord> {
  return openIn(await trailOf(recording), recording.context);
}

/** For what gives somebody something: `work` is done once the trail is open, and what it writes is on record when this resolves. */
export async function onRecord<T>(
  recording: Recording,
  work: (record: CommandRecord) => T | Promise<T>,
): Promise<T> {
  const record = await openRecord(recording);
  let result: T;
  try {
    result = await work(record);
  } catch (error) {
    await record.close().catch(() => {});
    throw error;
  }
  await record.close();
  return result;
}

/**
 * For what takes something away, in an emergency perhaps: it was done before, and a database that is down must not have been in the
 * way. What PostgreSQL cannot take goes into the data directory's own trail.
 * @returns what the reader must know: nothing where all went well
 */
export async function recordDone(recording: Recording, event: CommandEvent): Promise<string[]> {
  const { context, directory } = recording;
  let store: AuditStore | null = null;
  try {
    store = await trailOf(recording);
    await write(store, context, event);
    return [];
  } catch (error) {
    const problem = messageOf(error);
    if (store?.postgres === null) return [`this is done, and not on record: ${problem}`];
    try {
      await write({ dataDir: directory, postgres: null }, context, event);
      return [`the audit log in PostgreSQL does not have this: ${problem}; it is in ${directory} instead`];
    } catch (second) {
      return [`this is done, and not on record: ${problem}; ${messageOf(second)}`];
    }
  }
}

async function write(store: AuditStore, context: CommandContext, event: CommandEvent): Promise<void> {
  const record = await openIn(store, context);
  record.write(event);
  await record.close();
}

async function openIn({ dataDir, postgres }: AuditStore, { clock }: CommandContext): Promise<CommandRecord> {
  const { createAuditTrail } = await import('../audit/index.ts');
  const { silentLog } = await import('../base/index.ts');
  const trail = await createAuditTrail({ dataDir, postgres, clock, log: silentLog });
  return {
    write({ event, client_id = null, subject = null, data }) {
      trail.event({ timestamp: timestamp(clock.now()), event, client_id, subject, data });
    },
    async close() {
      // It rejects when the trail is closed with anything unwritten.
      const failure = trail.flush().then(
        () => null,
        (error: unknown) => messageOf(error),
      );
      await trail.close();
      const problem = await failure;
      if (problem !== null) throw new OperationError(`this is done, and not on record: ${problem}`);
    },
  };
}
