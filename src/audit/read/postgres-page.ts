import type { PgQueries, Row, SqlValue } from '../../store/index.ts';
import { termsOf } from '../postings.ts';
import type { AuditQuery } from '../query.ts';
import { conditionsOf, phaseOf } from '../sql.ts';
import { firstOf } from './order.ts';
import type { Named } from './source.ts';
import type { Place } from './sqlite-page.ts';

export interface Reading {
  readonly run: (statement: Named) => Promise<Row[]>;
  readonly query: AuditQuery;
  readonly place: Place;
  /** How many entries are read one by one, the nearest first, before the index of values is asked: 20,000 by default, some 20 ms. */
  readonly walked?: number;
}

const defaultWalked = 20_000;
/** How much longer the next stretch of time is that the index of values is asked for. */
const growth = 16;

/** In the same view of the store for all statements of a page. */
export const oneView = 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY';
/**
 * What leaves the index of values, `records_values`, as the only way. What it costs to read all is far from what PostgreSQL believes
 * it costs, and what a value is worth it does not know.
 */
const byValues = 'SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off';

/** One page of a query, after the last entry of the page before, in the order of (timestamp, seq). In a transaction with `oneView`. */
export async function pageRows(given: Reading, set: PgQueries['query']): Promise<Row[]> {
  const { place } = given;
  const query = withoutPassed(given.query, place.last);
  const reading = { ...given, query };
  const orphans = wantsOrphans(query) ? await orphanRows(reading) : [];
  if (query.result === 'unknown') return orphans;
  const settled = await settledRows(reading, set);
  return firstOf([...settled, ...orphans], query.order, place.count);
}

/** Where the last page ended says more than where the period begins: with both, PostgreSQL reads from there for each page. */
function withoutPassed({ since, until, ...query }: AuditQuery, last: Place['last']): AuditQuery {
  const isOldestFirst = query.order === 'oldest';
  return {
    ...query,
    ...(since !== undefined && (!last || !isOldestFirst) && { since }),
    ...(until !== undefined && (!last || isOldestFirst) && { until }),
  };
}

/** What a filter on outcomes alone leaves nothing of. */
function wantsOrphans({ result, reason, event }: AuditQuery): boolean {
  return result === 'unknown' || (result ?? reason ?? event) === undefined;
}

/** By the index of request ids, whatever the planner thinks of the conditions. */
function orphanRows({ run, query, place }: Reading): Promise<Row[]> {
  const { sql, parameters } = conditionsOf(query);
  const beyond = beyondOf(query, place.last);
  const inner = `SELECT * FROM (
      SELECT one.* FROM open_calls CROSS JOIN LATERAL (
        SELECT * FROM records WHERE request_id = open_calls.request_id AND phase = 'intent' OFFSET 0
      ) AS one
    ) AS records WHERE true${sql}${beyond.sql}`;
  return run(firstRows(inner, { ...parameters, ...beyond.parameters }, { query, place }));
}

async function settledRows(reading: Reading, set: PgQueries['query']): Promise<Row[]> {
  const { run, query, place, walked = defaultWalked } = reading;
  const filter = conditionsOf(query);
  const where = `${phaseOf(query)}${filter.sql}`;
  const beyond = beyondOf(query, place.last);
  const parameters = { ...filter.parameters, ...beyond.parameters };
  if (!isFoundByValue(query)) {
    // Of one request there is little. But who reads in pages is told to sort nothing, and would walk through all of time instead.
    const records =
      query.requestId === undefined
        ? 'records'
        : '(SELECT * FROM records WHERE request_id = :requestId OFFSET 0) AS records';
    const inner = `SELECT * FROM ${records} WHERE ${where}${beyond.sql} ${orderOf(query)} LIMIT :count`;
    return run(firstRows(inner, parameters, reading));
  }
  const near = `SELECT * FROM (${timeline(query, beyond)} LIMIT ${walked}) AS records
                WHERE ${where} ${orderOf(query)} LIMIT :count`;
  const found = await run(firstRows(near, parameters, reading));
  const edge = found.length < place.count ? await edgeOf(reading, beyond) : null;
  if (!edge) return found;
  await set(byValues);
  for (const stretch of stretchesFrom(edge, query)) {
    const missing = { last: undefined, count: place.count - found.length };
    if (missing.count === 0) break;
    found.push(...(await run(firstRows(...byValue(query, stretch), { query, place: missing }))));
  }
  return found;
}

/** Values and minutes within the fence, OFFSET 0, and what another index might be used for outside of it. */
function byValue(
  { since, until, order: _, ...values }: AuditQuery,
  stretch: Stretch,
): [string, Named['parameters']] {
  const [wanted, outside] = [
    conditionsOf(values),
    conditionsOf({ ...(since && { since }), ...(until && { until }) }),
  ];
  const minutes = [
    ...(since === undefined ? [] : [' AND left(timestamp, 16) >= left(:since, 16)']),
    ...(until === undefined ? [] : [' AND left(timestamp, 16) <= left(:until, 16)']),
  ].join('');
  const inner = `SELECT * FROM (
      SELECT * FROM records WHERE ${stretch.minutes}${minutes}${wanted.sql} OFFSET 0
    ) AS records WHERE ${phaseOf(values)} AND ${stretch.edge}${outside.sql}`;
  return [inner, { ...wanted.parameters, ...outside.parameters, ...stretch.parameters }];
}

/** Requests and events have indexes of their own. */
function isFoundByValue(query: AuditQuery): boolean {
  if (query.requestId !== undefined || query.event !== undefined) return false;
  return query.server !== undefined || termsOf(query).length > 0;
}

/** What `entryOf` reads of the first rows of a statement, in the order of the query. */
function firstRows(
  inner: string,
  parameters: Named['parameters'],
  { query, place }: Omit<Reading, 'run'>,
): Named {
  const sql = `SELECT found.seq, found.position, found.entry, found.hash, found.timestamp, writers.writer AS writer_name
    FROM (${inner}) AS found JOIN writers ON writers.id = found.writer ${orderOf(query)} LIMIT :count`;
  return { sql, parameters: { ...parameters, count: place.count } };
}

function orderOf({ order }: AuditQuery): string {
  return order === 'oldest' ? 'ORDER BY timestamp, seq' : 'ORDER BY timestamp DESC, seq DESC';
}

function beyondOf({ order }: AuditQuery, last: Place['last']): Named {
  if (!last) return { sql: '', parameters: {} };
  const sql = ` AND (timestamp, seq) ${order === 'oldest' ? '>' : '<'} (:lastTimestamp, :lastSeq)`;
  return { sql, parameters: { lastTimestamp: last.timestamp, lastSeq: last.seq } };
}

/** All that may be on the page, in the order of the query, by the index of time. */
function timeline(query: AuditQuery, beyond: Named): string {
  const since = query.since === undefined ? '' : ' AND timestamp >= :since';
  const until = query.until === undefined ? '' : ' AND timestamp < :until';
  return `SELECT * FROM records WHERE phase <> 'intent'${since}${until}${beyond.sql} ${orderOf(query)}`;
}

interface Edge {
  /** Of the first entry that was walked over. */
  readonly from: string;
  /** The first entry that was not. */
  readonly timestamp: string;
  readonly seq: SqlValue;
}

/** Null where all has been read. */
async function edgeOf({ run, query, walked = defaultWalked }: Reading, beyond: Named): Promise<Edge | null> {
  const { since, until } = query;
  const parameters = { ...beyond.parameters, ...(since && { since }), ...(until && { until }) };
  const all = timeline(query, beyond).replace('*', 'timestamp, seq');
  const sql = `(${all} LIMIT 1) UNION ALL (${all} OFFSET ${walked} LIMIT 1)`;
  const [first, edge] = await run({ sql, parameters });
  if (!first || !edge) return null;
  return { from: String(first['timestamp']), timestamp: String(edge['timestamp']), seq: edge['seq'] ?? 0 };
}

interface Stretch {
  readonly minutes: string;
  readonly edge: string;
  readonly parameters: Named['parameters'];
}

/**
 * What lies beyond the edge: a stretch of time `growth` times as long as the one that was walked through, so that what is neither
 * common nor rare is not looked for everywhere; then all the rest. In minutes, as the index has it.
 */
function stretchesFrom({ from, timestamp, seq }: Edge, query: AuditQuery): Stretch[] {
  const [beyond, within] = query.order === 'oldest' ? ['>', '<='] : ['<', '>='];
  const parameters = { edgeMinute: timestamp.slice(0, 16), edgeTimestamp: timestamp, edgeSeq: seq };
  const edge = `(timestamp, seq) ${beyond}= (:edgeTimestamp, :edgeSeq)`;
  const minutes = `left(timestamp, 16) ${beyond}= :edgeMinute`;
  const end = Date.parse(timestamp) + (Date.parse(timestamp) - Date.parse(from)) * growth;
  if (!(Math.abs(end) <= lastMoment)) return [{ minutes, edge, parameters }];
  const split = { ...parameters, split: new Date(end).toISOString().slice(0, 16) };
  return [
    { minutes: `${minutes} AND left(timestamp, 16) ${within} :split`, edge, parameters: split },
    { minutes: `left(timestamp, 16) ${beyond} :split`, edge, parameters: split },
  ];
}

/** Four digits of the year. NaN, from a time that is none, is beyond it too. */
const lastMoment = Date.UTC(9999, 0);
