import { setTimeout as wait } from 'node:timers/promises';
import type { AuditFilter, AuditQuery, StoredEntry, StoredRecord } from '../query.ts';
import { entryOf } from '../sql.ts';
import type { AuditSource } from './source.ts';

const page = 500;

/**
 * One entry per call: its outcome, or its intent with the result `unknown` where there is none; and events where they are asked
 * for. In pages, so that a slow reader holds nothing up.
 */
export async function* queryEntries(
  source: AuditSource,
  query: AuditQuery = {},
): AsyncGenerator<StoredEntry, void, undefined> {
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  let last: StoredEntry | undefined;
  while (left > 0) {
    const count = Math.min(page, left);
    const rows = await source.page(query, { last, count });
    for (const row of rows) {
      last = entryOf(row);
      yield last;
    }
    left -= rows.length;
    if (rows.length < count) return;
  }
}

/** The calls whose fate is unknown: intents without an outcome, oldest first. Running calls are among them. */
export async function orphansOf(
  source: AuditSource,
  filter: Omit<AuditFilter, 'result' | 'events'> = {},
): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  for await (const entry of queryEntries(source, { ...filter, result: 'unknown', order: 'oldest' })) {
    if (entry.phase !== 'event') found.push(entry);
  }
  return found;
}

export interface TailOptions {
  readonly filter: AuditFilter;
  /** How many past entries, oldest first. */
  readonly lines: number;
  /** Goes on with what is written, until it is aborted; null: ends after the past. */
  readonly follow: AbortSignal | null;
}

const pollMs = 250;

/** The last entries, then those that come, by whatever process, at most a quarter of a second late. None twice. */
export async function* tailEntries(
  source: AuditSource,
  { filter, lines, follow }: TailOptions,
): AsyncGenerator<StoredEntry, void, undefined> {
  let mark = await source.mark(); // before the past is read: what comes in between is not lost
  const recent: StoredEntry[] = [];
  if (lines > 0)
    for await (const entry of queryEntries(source, { ...filter, limit: lines })) recent.push(entry);
  yield* recent.reverse();
  // Of these alone, the past may hold what the first look after the mark gives again.
  let shown = new Set(recent.filter(({ phase }) => phase !== 'intent').map(({ seq }) => seq));
  while (follow && !follow.aborted) {
    const found = await source.after(mark, filter);
    for (const entry of found.entries) if (!shown.has(entry.seq)) yield entry;
    const caughtUp = found.entries.length === 0;
    if (caughtUp) shown = new Set();
    mark = found.mark;
    if (caughtUp) await wait(pollMs, undefined, { signal: follow }).catch(() => {});
  }
}
