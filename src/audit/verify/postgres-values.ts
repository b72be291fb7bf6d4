import { randomInt, randomUUID } from 'node:crypto';
import type { PgQueries, Row } from '../../store/index.ts';
import { pgValueColumns, pgValuePages } from '../postgres-schema.ts';

type Query = PgQueries['query'];

/** How much of the index of values was compared: stretches of pages. */
export interface ValuesCompared {
  readonly compared: number;
  readonly of: number;
}

interface Stretch {
  readonly partition: string;
  /** Its first page. */
  readonly page: number;
}

const minute = 'left(timestamp, 16)';
/** As many rows' values are asked for at once: what the planner does with them grows faster than they do. */
const rowsAtOnce = 400;

/**
 * The index of values has a filter for each stretch of pages, and PostgreSQL shows nobody what is in one. But it can be asked: a
 * stretch whose filter has all the values that stand in its rows is one that a scan for all of them at once would read, and
 * `EXPLAIN ANALYZE` says how many pages such a scan has read. It passes over each row that it reads there, as no row has them all. So
 * one question tells whether any value of any row of the stretch is missing; a second, for one of its rows, whether the
 * filter that was found is this stretch's own.
 * @param most so many stretches, any of them, where there are more
 */
export async function compareValues(
  { query }: PgQueries,
  { most, find }: { most: number; find: (message: string) => void },
): Promise<ValuesCompared> {
  const all = await summarisedStretches(query);
  const chosen = someOf(all, most);
  for (const stretch of chosen) {
    const rows = await rowsOf(query, stretch);
    if (rows.length === 0 || (await isKnown(query, stretch, rows))) continue;
    find(
      `queries by value may pass over entries on pages ${stretch.page} to ${stretch.page + pgValuePages - 1} of ${stretch.partition}: ` +
        'the index records_values does not know them all',
    );
  }
  return { compared: chosen.length, of: all.length };
}

/** But for those at the end of a partition that nobody has added to the index yet: they are read through by every query. */
async function summarisedStretches(query: Query): Promise<Stretch[]> {
  for (const way of ['seqscan', 'indexscan', 'indexonlyscan', 'tidscan'])
    await query(`SET LOCAL enable_${way} = off`);
  await query('SET LOCAL enable_bitmapscan = on; SET LOCAL max_parallel_workers_per_gather = 0');
  const { rows } = await query(
    `SELECT c.relname AS name, pg_relation_size(c.oid) / current_setting('block_size')::int AS pages
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'portcullis.records'::regclass ORDER BY 1`,
  );
  const found: Stretch[] = [];
  for (const { name, pages } of rows) {
    const partition = String(name);
    if (!/^records_\d{6}$/.test(partition)) continue; // a statement is made from it
    const unknown = await pagesRead(query, partition, unlike());
    if (unknown === null) continue;
    const end = Number(pages) - unknown;
    for (let page = 0; page < end; page += pgValuePages) found.push({ partition, page });
  }
  return found;
}

function someOf<T>(all: readonly T[], most: number): T[] {
  const rest = [...all];
  if (rest.length <= most) return rest;
  return Array.from({ length: most }, () => rest.splice(randomInt(rest.length), 1)).flat();
}

async function rowsOf(query: Query, { partition, page }: Stretch): Promise<Row[]> {
  const { rows } = await query(
    `SELECT ctid::text AS place, ${minute} AS minute, ${pgValueColumns.join(', ')} FROM ${partition}
     WHERE ctid >= '(${page},0)'::tid AND ctid < '(${page + pgValuePages},0)'::tid`,
  );
  return rows;
}

async function isKnown(query: Query, { partition }: Stretch, rows: readonly Row[]): Promise<boolean> {
  for (let at = 0; at < rows.length; at += rowsAtOnce) {
    if (!(await areKnown(query, partition, rows.slice(at, at + rowsAtOnce)))) return false;
  }
  const one = rows[randomInt(rows.length)];
  return !one || isFound(query, partition, one);
}

/** More is read for their values than for those that nobody has. A gateway may add to the table and to the index meanwhile: then once more. */
async function areKnown(query: Query, partition: string, rows: readonly Row[]): Promise<boolean> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = await pagesRead(query, partition, unlike());
    const read = await pagesRead(query, partition, valuesOf(rows));
    const after = await pagesRead(query, partition, unlike());
    if (read === null || before === null || after === null || read > Math.max(before, after)) return true;
  }
  return false;
}

const attempts = 3;

interface Explained {
  readonly Plan: Readonly<Record<string, unknown>>;
}

type Asked = readonly [expression: string, value: string];

/** No entry has these values, and no filter has all of them by chance. */
function unlike(): Asked[] {
  return Array.from({ length: 8 }, () => ['arguments_hash', randomUUID()]);
}

function valuesOf(rows: readonly Row[]): Asked[] {
  const columns = [[minute, 'minute'], ...pgValueColumns.map((name) => [name, name])] as const;
  return columns.flatMap(([expression = '', name = '']) => {
    const values = new Set(rows.map((row) => row[name]));
    return [...values].flatMap((value): Asked[] => (typeof value === 'string' ? [[expression, value]] : []));
  });
}

/**
 * By a scan for all of these at once. `= ANY` of one value each: of two values by `=` the planner sees that no row has both, and reads nothing.
 * @returns null where this index is not what answers: the schema's faults tell
 */
async function pagesRead(query: Query, partition: string, asked: readonly Asked[]): Promise<number | null> {
  const conditions = asked.map(([expression], at) => `${expression} = ANY (ARRAY[$${at + 1}])`);
  const { rows } = await query(
    `EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF, COSTS OFF) SELECT FROM ${partition} WHERE ${conditions.join(' AND ')}`,
    asked.map(([, value]) => value),
  );
  const explained = rows[0]?.['QUERY PLAN'] as unknown as readonly Explained[] | undefined;
  const { 'Node Type': node, 'Lossy Heap Blocks': read } = explained?.[0]?.Plan ?? {};
  return node === 'Bitmap Heap Scan' ? Number(read) : null;
}

/** Whether a query for all that the row says comes upon it, by the index alone. */
async function isFound(query: Query, partition: string, row: Row): Promise<boolean> {
  const asked = valuesOf([row]);
  const conditions = asked.map(([expression], at) => `${expression} = $${at + 2}`);
  const { rows } = await query(
    `SELECT EXISTS (SELECT FROM ${partition} WHERE ctid = $1::tid AND ${conditions.join(' AND ')}) AS found`,
    [String(row['place']), ...asked.map(([, value]) => value)],
  );
  return Boolean(rows[0]?.['found'] as unknown);
}
