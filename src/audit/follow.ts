import { setTimeout as wait } from 'node:timers/promises';
import type { Db } from '../store/index.ts';
import { type AuditFilter, conditionsOf, entryOf, openTrail, type StoredEntry } from './query.ts';

export interface FollowOptions extends Omit<AuditFilter, 'since' | 'until'> {
  /** Ends the iteration, without an error. */
  readonly signal: AbortSignal;
  /** What comes after this `seq`. By default what comes from now on. */
  readonly from?: number;
}

const pollMs = 250;
const page = 500;

/**
 * Outcomes (and events, where asked for) as they are written, by any process, in the order of their commits. Reads
 * each at most a quarter of a second late; holds no lock between polls.
 * @throws OperationError when there is no trail or it cannot be read
 */
export async function* followAudit(
  dataDir: string,
  options: FollowOptions,
): AsyncGenerator<StoredEntry, void, undefined> {
  const db = openTrail(dataDir);
  try {
    let seq = options.from ?? latest(db);
    while (!options.signal.aborted) {
      const upTo = latest(db);
      const entries = readBetween(db, { after: seq, upTo }, options);
      for (const entry of entries) {
        seq = entry.seq;
        yield entry;
      }
      if (entries.length === page) continue;
      seq = upTo; // what the filter passed over is not read again
      await wait(pollMs, undefined, { signal: options.signal }).catch(() => {});
    }
  } finally {
    db.close();
  }
}

function latest(db: Db): number {
  return Number(db.prepare('SELECT max(seq) AS seq FROM records').get()?.['seq'] ?? 0);
}

function readBetween(db: Db, range: { after: number; upTo: number }, filter: AuditFilter): StoredEntry[] {
  const { sql, parameters } = conditionsOf(filter);
  const phase = filter.events ? "phase <> 'intent'" : "phase = 'outcome'";
  return db
    .prepare(
      `SELECT records.*, writers.writer AS writer_name
       FROM records JOIN writers ON writers.id = records.writer
       WHERE seq > :after AND seq <= :upTo AND ${phase}${sql} ORDER BY seq LIMIT :count`,
    )
    .all({ ...parameters, ...range, count: page })
    .map(entryOf);
}
