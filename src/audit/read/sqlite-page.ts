import type { Db, Row, SqlValue } from '../../store/index.ts';
import { embeddedField } from '../columns.ts';
import { type Indexed, indexedIn, isPrinted, type Term, termsOf } from '../postings.ts';
import { Prints, segmentSize } from '../prints.ts';
import type { AuditFilter, AuditQuery, StoredEntry } from '../query.ts';
import { conditionsOf, phaseOf, storedColumns } from '../sql.ts';
import { firstOf, isBefore } from './order.ts';

/** Where a page begins and how long it is. */
export interface Place {
  readonly last: StoredEntry | undefined;
  readonly count: number;
}

interface Reading {
  readonly db: Db;
  readonly query: AuditQuery;
  readonly place: Place;
}

/**
 * One page of a query over the embedded store, after the last entry of the page before, in the order of (timestamp, seq). By
 * postings where the filter names something that they know, else by walking through time.
 */
export function pageRows(db: Db, query: AuditQuery, place: Place): Row[] {
  const reading = { db, query, place };
  // One view of the store: a segment must not be indexed between two looks.
  db.exec('BEGIN');
  try {
    const orphans = wantsOrphans(query) ? select(reading, orphansSource) : [];
    const settled = query.result === 'unknown' ? [] : settledRows(reading);
    return firstOf([...settled, ...orphans], query.order, place.count);
  } finally {
    db.exec('COMMIT');
  }
}

/** All entries that name a request, in the order of commits. */
export function rowsOfRequest(db: Db, requestId: string, count: number): Row[] {
  db.exec('BEGIN');
  try {
    const sealed = indexedIn(db).get('request_id') ?? 0;
    return db
      .prepare(
        `SELECT ${storedColumns} FROM records NOT INDEXED JOIN writers ON writers.id = records.writer
         WHERE ${embeddedField('request_id')} = :requestId AND records.seq IN (
           SELECT value FROM json_each(:found)
           UNION ALL
           SELECT seq FROM records NOT INDEXED WHERE seq >= :from AND ${embeddedField('request_id')} = :requestId
         ) ORDER BY records.seq LIMIT :count`,
      )
      .all({ requestId, found: foundByPrints(db, requestId), from: sealed * segmentSize, count });
  } finally {
    db.exec('COMMIT');
  }
}

/** In JSON. */
function foundByPrints(db: Db, requestId: string): string {
  const rows = db.prepare("SELECT segment, prints FROM prints WHERE kind = 'request_id'").iterate();
  const found: number[] = [];
  for (const { segment, prints } of rows) {
    for (const place of new Prints(prints).placesOf(requestId))
      found.push(Number(segment) * segmentSize + place);
  }
  return JSON.stringify(found);
}

/** What a filter on outcomes alone leaves nothing of. */
function wantsOrphans({ result, reason, event }: AuditFilter): boolean {
  return result === 'unknown' || (result ?? reason ?? event) === undefined;
}

interface Source {
  /** After FROM. */
  readonly from: string;
  /** After WHERE. */
  readonly where: string;
  readonly parameters?: Readonly<Record<string, SqlValue>>;
}

const orphansSource: Source = {
  from: 'records NOT INDEXED',
  where: "phase = 'intent' AND records.seq IN (SELECT seq FROM open_calls)",
};

function settledRows(reading: Reading): Row[] {
  const { db, query } = reading;
  const terms = termsOf(query);
  if (terms.length > 0) return byPostings(reading, terms, indexedIn(db));
  const index = query.event === undefined ? 'records_timestamp' : 'records_event';
  return select(reading, { from: `records INDEXED BY ${index}`, where: phaseOf(query) });
}

/** From segment to segment, those with the wanted end of time first, until no other can hold what belongs before what was found. */
function byPostings(reading: Reading, terms: readonly Term[], indexed: Indexed): Row[] {
  const { query, place } = reading;
  const sealed = Math.min(...terms.map(({ kind }) => indexed.get(kind) ?? 0));
  const rest = {
    from: 'records NOT INDEXED',
    where: `records.seq >= :rest AND ${phaseOf(query)}`,
    parameters: { rest: sealed * segmentSize },
  };
  let found = select(reading, rest);
  for (const { segment, oldest, newest } of segmentsOf(reading, sealed)) {
    const [first, worst] = query.order === 'oldest' ? [oldest, found.at(-1)] : [newest, found.at(-1)];
    if (found.length === place.count && worst && isBefore(query.order, String(worst['timestamp']), first))
      break;
    const source = segmentSource(reading, terms, segment);
    const rows = source ? select(reading, source) : [];
    if (rows.length > 0) found = firstOf([...found, ...rows], query.order, place.count);
  }
  return found;
}

/** Null where one of the terms is nowhere in the segment. */
function segmentSource({ db, query }: Reading, terms: readonly Term[], segment: number): Source | null {
  let common: readonly number[] | null = null;
  for (const term of terms) {
    const places = new Set(placesOf(db, term, segment));
    common = common === null ? [...places] : common.filter((place) => places.has(place));
    if (common.length === 0) return null;
  }
  const seqs = JSON.stringify((common ?? []).map((place) => segment * segmentSize + place));
  const where = `records.seq IN (SELECT value FROM json_each(:seqs)) AND ${phaseOf(query)}`;
  return { from: 'records NOT INDEXED', where, parameters: { seqs } };
}

function placesOf(db: Db, { kind, term }: Term, segment: number): number[] {
  if (isPrinted(kind)) {
    const found = db
      .prepare('SELECT prints FROM prints WHERE kind = :kind AND segment = :segment')
      .get({ kind, segment });
    return new Prints(found?.['prints']).placesOf(term);
  }
  const found = db
    .prepare('SELECT places FROM postings WHERE segment = :segment AND kind = :kind AND term = :term')
    .get({ segment, kind, term });
  return found ? placesIn(String(found['places'])) : [];
}

/** What somebody has made of it may be no list: `audit verify` says so. */
function placesIn(json: string): number[] {
  try {
    const places: unknown = JSON.parse(json);
    return Array.isArray(places) ? places.filter((place) => Number.isSafeInteger(place)) : [];
  } catch {
    return [];
  }
}

interface Segment {
  readonly segment: number;
  readonly oldest: string;
  readonly newest: string;
}

/** Segments that can hold anything of the page. */
function segmentsOf({ db, query, place }: Reading, sealed: number): Segment[] {
  const { since = '', until = '~' } = query;
  const last = place.last?.timestamp;
  const isOldestFirst = query.order === 'oldest';
  const range = {
    sealed,
    from: isOldestFirst && last !== undefined ? last : since,
    to: !isOldestFirst && last !== undefined ? last : until,
  };
  const rows = db
    .prepare(
      `SELECT segment, oldest, newest FROM segments
       WHERE segment < :sealed AND newest >= :from AND newest >= :since AND oldest <= :to AND oldest < :until
       ORDER BY ${isOldestFirst ? 'oldest' : 'newest DESC'}`,
    )
    .all({ ...range, since, until });
  return rows.map(({ segment, oldest, newest }) => {
    return { segment: Number(segment), oldest: String(oldest), newest: String(newest) };
  });
}

/** Without the end of time that pages go away from: SQLite would begin there each time, and not where the page before ended. */
function beyondThePage({ since, until, ...filter }: AuditQuery): AuditFilter {
  if (filter.order === 'oldest') return until === undefined ? filter : { ...filter, until };
  return since === undefined ? filter : { ...filter, since };
}

/** The wanted columns of a source, under the filter and after the last page, the first `count` of them. */
function select({ db, query, place }: Reading, { from, where, parameters: own }: Source): Row[] {
  const { sql, parameters } = conditionsOf(place.last ? beyondThePage(query) : query, embeddedField);
  const isOldestFirst = query.order === 'oldest';
  const { last, count } = place;
  const beyond = last ? ` AND (timestamp, seq) ${isOldestFirst ? '>' : '<'} (:lastTimestamp, :lastSeq)` : '';
  const order = isOldestFirst ? 'timestamp, seq' : 'timestamp DESC, seq DESC';
  return db
    .prepare(
      `SELECT ${storedColumns}, timestamp FROM ${from} JOIN writers ON writers.id = records.writer
       WHERE ${where}${sql}${beyond} ORDER BY ${order} LIMIT :count`,
    )
    .all({
      ...parameters,
      ...own,
      count,
      ...(last && { lastTimestamp: last.timestamp, lastSeq: last.seq }),
    });
}
