import { existsSync } from 'node:fs';
import { messageOf, OperationError } from '../base/index.ts';
import { type Db, openDbForReading, type Row, type SqlValue } from '../store/index.ts';
import { type AuditResult, isResultClass } from './results.ts';
import { auditFile, auditMigrations, storedEntryOf } from './schema.ts';
import type { CallEntry, EventEntry } from './trail.ts';

/** Where a stored entry stands. */
interface Stored {
  /** Order of commits over all writers. */
  readonly seq: number;
  /** UUID of the process that wrote it, and the entry's place among that process's own. */
  readonly writer: string;
  readonly position: number;
  /** The chain up to and with this entry, in hex. */
  readonly hash: string;
}

/** `unknown`: the call left (or was about to), and no outcome was written: it runs still, or its writer died. */
export type StoredResult = AuditResult | 'unknown';

export interface StoredRecord extends Omit<CallEntry, 'result'>, Stored {
  readonly result: StoredResult | null;
}

export interface StoredEvent extends EventEntry, Stored {}

export type StoredEntry = StoredRecord | StoredEvent;

/** All conditions must hold. Text compares exactly. */
export interface AuditFilter {
  /** RFC 3339 in UTC with milliseconds, as `parseTime` gives; inclusive. */
  readonly since?: string;
  /** Likewise; exclusive. */
  readonly until?: string;
  readonly client?: string;
  readonly subject?: string;
  readonly tool?: string;
  /** A word that is also a result class stands for the whole class: `denied_auth` finds `denied_scope`, too. */
  readonly result?: StoredResult;
  readonly reason?: string;
  readonly requestId?: string;
  readonly server?: string;
  /** Events too. Without it, records of calls alone. */
  readonly events?: boolean;
}

export interface AuditQuery extends AuditFilter {
  /** How many entries at most; all of them without it. */
  readonly limit?: number;
  /** By timestamp. `newest` first by default. */
  readonly order?: 'newest' | 'oldest';
}

const page = 500;

/**
 * Reads the trail, beside a gateway that writes or without one: one entry per call, its outcome, or its intent with the
 * result `unknown` where there is none. Pages through the file, so that a slow reader holds nothing up.
 * @throws OperationError when there is no trail or it cannot be read
 */
export function* queryAudit(
  dataDir: string,
  query: AuditQuery = {},
): Generator<StoredEntry, void, undefined> {
  const db = openTrail(dataDir);
  try {
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    let last: StoredEntry | undefined;
    while (left > 0) {
      const rows = readPage(db, query, { last, count: Math.min(page, left) });
      for (const row of rows) {
        last = entryOf(row);
        yield last;
      }
      left -= rows.length;
      if (rows.length < page) return;
    }
  } finally {
    db.close();
  }
}

/**
 * The calls whose fate is unknown: intents without an outcome, oldest first. While a gateway writes, its running calls
 * are among them.
 */
export function listOrphans(
  dataDir: string,
  filter: Omit<AuditFilter, 'result' | 'events'> = {},
): StoredRecord[] {
  const found = [...queryAudit(dataDir, { ...filter, result: 'unknown', order: 'oldest' })];
  return found.filter((entry): entry is StoredRecord => entry.phase !== 'event');
}

/** Opens the trail in `dataDir` for reading. The caller closes it. */
export function openTrail(dataDir: string): Db {
  const file = auditFile(dataDir);
  if (!existsSync(file)) {
    throw new OperationError(`no audit trail at ${file}`, {
      hint: 'name the data directory of the gateway with --data',
    });
  }
  try {
    return openDbForReading(file, auditMigrations);
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(`cannot read the audit trail ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** Conditions on the columns that a filter names. */
export function conditionsOf(filter: AuditFilter): { sql: string; parameters: Record<string, SqlValue> } {
  const conditions: readonly [string, string | undefined][] = [
    ['timestamp >= :since', filter.since],
    ['timestamp < :until', filter.until],
    ['client_id = :client', filter.client],
    ['subject = :subject', filter.subject],
    ['tool_name = :tool', filter.tool],
    ['reason = :reason', filter.reason],
    ['request_id = :requestId', filter.requestId],
    ['server = :server', filter.server],
    [
      isResultClass(filter.result ?? '') ? 'result_class = :result' : 'result = :result',
      filter.result === 'unknown' ? undefined : filter.result,
    ],
  ];
  let sql = '';
  const parameters: Record<string, SqlValue> = {};
  for (const [condition, value] of conditions) {
    if (value === undefined) continue;
    sql += ` AND ${condition}`;
    parameters[condition.slice(condition.indexOf(':') + 1)] = value;
  }
  return { sql, parameters };
}

/** The entry in a row of `records` joined with `writers` as `writer_name`. */
export function entryOf(row: Row): StoredEntry {
  const entry = storedEntryOf(row);
  const stored = {
    seq: Number(row['seq']),
    writer: String(row['writer_name']),
    position: Number(row['position']),
    hash: Buffer.from(row['hash'] as Uint8Array).toString('hex'),
  };
  if (entry.phase !== 'intent') return { ...entry, ...stored };
  return { ...entry, result: 'unknown', ...stored };
}

interface Place {
  readonly last: StoredEntry | undefined;
  readonly count: number;
}

function readPage(db: Db, query: AuditQuery, { last, count }: Place): Row[] {
  const { sql, parameters } = conditionsOf(query);
  const newest = query.order !== 'oldest';
  const beyond = last ? ` AND (timestamp, seq) ${newest ? '<' : '>'} (:lastTimestamp, :lastSeq)` : '';
  const sources = sourcesOf(query).map((source) => `SELECT * FROM records WHERE ${source}${sql}${beyond}`);
  const direction = newest ? 'DESC' : 'ASC';
  return db
    .prepare(
      `SELECT found.*, writers.writer AS writer_name
       FROM (${sources.join(' UNION ALL ')} ORDER BY timestamp ${direction}, seq ${direction} LIMIT :count) AS found
       JOIN writers ON writers.id = found.writer
       ORDER BY timestamp ${direction}, seq ${direction}`,
    )
    .all({ ...parameters, count, ...(last && { lastTimestamp: last.timestamp, lastSeq: last.seq }) });
}

/** `phase <> 'intent'` in these words lets SQLite use the partial indexes. */
function sourcesOf(query: AuditFilter): string[] {
  const settled = query.events ? "phase <> 'intent'" : "phase <> 'intent' AND phase = 'outcome'";
  const orphans = 'seq IN (SELECT seq FROM open_calls)';
  if (query.result === 'unknown') return [orphans];
  return query.result === undefined && query.reason === undefined ? [settled, orphans] : [settled];
}
