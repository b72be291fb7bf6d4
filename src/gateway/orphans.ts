import { hostname } from 'node:os';
import {
  type AuditSource,
  type AuditTrail,
  openAuditSource,
  orphansOf,
  queryEntries,
  type StoredRecord,
  type WriterPresence,
} from '../audit/index.ts';
import { type Clock, type Log, messageOf, timestamp } from '../base/index.ts';
import type { Config } from '../config/index.ts';

interface Around {
  readonly clock: Clock;
  readonly log: Log;
  /** Between the two looks at a process elsewhere: 30,000 by default. */
  readonly watchMs?: number;
}

/** A second look that is to come. */
export interface OrphanWatch {
  /** Resolves once it was taken, or was given up. */
  readonly done: Promise<void>;
  stop(): void;
}

/** More are counted, and stay in `audit query --result unknown`. */
const mostNotices = 1_000;

/** Longer than a connection that was cut takes to come back, some seconds. */
const defaultWatchMs = 30_000;
/** Longer than a call has to begin its answer (`upstream.timeout`): for processes of which nobody can see whether they live. */
const elsewhereMs = 60 * 60_000;

/**
 * Calls of earlier runs whose fate nobody knows: their intent is on record, their outcome is not. Each is told once, in the log
 * and in the trail. Of a process on another machine the calls are told once it is known to be gone: its lock in the database
 * is not there, is still not there some time later, and it has written nothing meanwhile.
 */
export async function reportOrphans(
  config: Config,
  audit: AuditTrail,
  { clock, log, watchMs = defaultWatchMs }: Around,
): Promise<OrphanWatch> {
  const [first, missed] = await look(config, { clock, log });
  tell(first, audit, { clock, log });
  if (missed.size === 0) return { done: Promise.resolve(), stop: () => {} };
  let stop = () => {};
  const done = new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      look(config, { clock, log }, missed)
        .then(([found]) => tell(found, audit, { clock, log }))
        .catch((error: unknown) => {
          log.warn({ error: messageOf(error) }, 'calls of other gateways that are gone cannot be told');
        })
        .finally(resolve);
    }, watchMs);
    timer.unref();
    stop = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  return { done, stop: () => stop() };
}

type Missed = ReadonlyMap<string, string>;

/** @param missed writers that were not there before, and their marks. @returns what is to be told, and writers that are not there */
async function look(
  { data: dataDir, postgres }: Config,
  { clock, log }: Around,
  missed: Missed = new Map(),
): Promise<[StoredRecord[], Missed]> {
  const source = await openAuditSource({ dataDir, postgres }, log);
  try {
    const orphans = await orphansOf(source);
    const writers = [...new Set(orphans.map(({ writer }) => writer))];
    const presences = (await source.presence?.(writers)) ?? new Map<string, WriterPresence>();
    const absent = new Map<string, string>();
    const over = orphans.filter((record) => {
      const presence = presences.get(record.writer);
      if (isHere(record)) return !isRunningHere(record);
      if (!source.presence) return true;
      if (!presence || presence.isSeen) return false;
      if (!presence.isWatched) return Date.parse(record.timestamp) <= clock.now() - elsewhereMs;
      absent.set(record.writer, presence.mark);
      return missed.get(record.writer) === presence.mark;
    });
    return [await untold(source, over), absent];
  } finally {
    await source.close();
  }
}

function tell(orphans: readonly StoredRecord[], audit: AuditTrail, { clock, log }: Around): void {
  if (orphans.length === 0) return;
  const ids = orphans.slice(0, 20).map((record) => record.request_id);
  log.warn({ calls: orphans.length, request_ids: ids }, 'calls of an earlier run have no outcome on record');
  const now = timestamp(clock.now());
  for (const record of orphans.slice(0, mostNotices)) {
    const { request_id, client_id, subject, server, tool_name, writer, position } = record;
    audit.event({
      ...{ timestamp: now, event: 'call.orphaned', request_id, client_id, subject, server, tool_name },
      data: { writer, position, sent: record.timestamp },
    });
  }
  audit.event({ timestamp: now, event: 'audit.orphans', data: { calls: orphans.length } });
}

/** Those that no earlier start has told of. */
async function untold(source: AuditSource, orphans: StoredRecord[]): Promise<StoredRecord[]> {
  if (orphans.length === 0) return orphans;
  const told = new Set<string | null>();
  for await (const notice of queryEntries(source, { event: 'call.orphaned' })) told.add(notice.request_id);
  return orphans.filter(({ request_id }) => !told.has(request_id));
}

function processOf({ instance }: StoredRecord): number {
  return Number(/:(\d+)$/.exec(instance)?.[1] ?? 0);
}

function isHere(record: StoredRecord): boolean {
  const pid = processOf(record);
  return pid === 0 || record.instance === `${hostname()}:${pid}`;
}

/** Whether the process of this machine that wrote it lives: its call may be running. */
function isRunningHere(record: StoredRecord): boolean {
  const pid = processOf(record);
  if (pid === 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
