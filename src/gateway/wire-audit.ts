import { hostname } from 'node:os';
import {
  type AuditSource,
  type AuditTrail,
  type CopyMeans,
  createAuditTrail,
  fileWitness,
  notePostgres,
  type OpenAuditTrail,
  openAuditSource,
  orphansOf,
  queryEntries,
  type StoredRecord,
} from '../audit/index.ts';
import { type Clock, type Log, timestamp } from '../base/index.ts';
import type { Config } from '../config/index.ts';

interface Around {
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens the trail as the configuration says. */
export async function openAudit(
  config: Config,
  { clock, log, means }: Around & { readonly means: CopyMeans },
): Promise<OpenAuditTrail> {
  const { durability, whenStoreIsDown, argumentsHash, auditorKey, checkpoints, keep } = config.audit;
  const trail = await createAuditTrail({
    dataDir: config.data,
    postgres: config.postgres,
    copies: { configs: config.audit.also, means },
    clock,
    log,
    durability,
    whenStoreFails: whenStoreIsDown.others === 'memory' ? 'go on' : 'refuse',
    argumentsHash,
    auditorKey,
    keep,
    checkpoints: { everyRecords: checkpoints.everyRecords, everyMs: checkpoints.everySeconds * 1000 },
    witnesses: checkpoints.file === null ? [] : [fileWitness(checkpoints.file)],
  });
  notePostgres(config.data, config.postgres ? trail.file : null);
  return trail;
}

/** More are counted, and stay in `audit query --result unknown`. */
const mostNotices = 1_000;

/**
 * Calls of earlier runs whose fate nobody knows: their intent is on record, their outcome is not. Each is told once, in the log
 * and in the trail.
 */
export async function reportOrphans(
  { data: dataDir, postgres }: Config,
  audit: AuditTrail,
  { clock, log }: Around,
): Promise<void> {
  const source = await openAuditSource({ dataDir, postgres }, log);
  const isShared = postgres !== null;
  const isRunning = (record: StoredRecord) => mayBeRunning(record, { isShared, now: clock.now() });
  const orphans = await newOrphans(source, isRunning).finally(() => source.close());
  if (orphans.length === 0) return;
  const ids = orphans.slice(0, 20).map((record) => record.request_id);
  log.warn({ calls: orphans.length, request_ids: ids }, 'calls of an earlier run have no outcome on record');
  const now = timestamp(clock.now());
  for (const record of orphans.slice(0, mostNotices)) {
    const { request_id, client_id, subject, server, tool_name, writer, position } = record;
    const data = { writer, position, sent: record.timestamp };
    audit.event({
      timestamp: now,
      event: 'call.orphaned',
      request_id,
      client_id,
      subject,
      server,
      tool_name,
      data,
    });
  }
  audit.event({ timestamp: now, event: 'audit.orphans', data: { calls: orphans.length } });
}

/** Those that no earlier start has told of, and that no process is working on. */
async function newOrphans(
  source: AuditSource,
  isRunning: (record: StoredRecord) => boolean,
): Promise<StoredRecord[]> {
  const found = (await orphansOf(source)).filter((record) => !isRunning(record));
  if (found.length === 0) return found;
  const told = new Set<string | null>();
  for await (const notice of queryEntries(source, { event: 'call.orphaned' })) told.add(notice.request_id);
  return found.filter(({ request_id }) => !told.has(request_id));
}

/** Longer than a call has to begin its answer (`upstream.timeout`). Nobody can see from here whether a process elsewhere lives. */
const elsewhereMs = 60 * 60_000;

interface Seen {
  /** Whether other machines write to the trail too. */
  readonly isShared: boolean;
  readonly now: number;
}

/** Whether the process that wrote it lives: its call may be running. */
function mayBeRunning({ instance, timestamp: sent }: StoredRecord, { isShared, now }: Seen): boolean {
  const pid = Number(/:(\d+)$/.exec(instance)?.[1] ?? 0);
  if (pid === 0) return false;
  if (instance !== `${hostname()}:${pid}`) return isShared && Date.parse(sent) > now - elsewhereMs;
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
