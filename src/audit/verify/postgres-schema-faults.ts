import type { PgQueries, Row } from '../../store/index.ts';
import { pgGuards, pgIndexes, pgOwnersFunctions } from '../postgres-schema.ts';

type Query = PgQueries['query'];

/**
 * What of the database is not as it was made. Its owner can do all of this, and a superuser more: what counts is that the entries
 * are read whole, and that queries do not pass over some.
 */
export async function schemaFaults({ query }: PgQueries): Promise<string[]> {
  return [
    ...(await tableFaults(query)),
    ...(await guardFaults(query)),
    ...(await functionFaults(query)),
    ...(await partitionFaults(query)),
    ...(await indexFaults(query)),
    ...(await hiddenEntries(query)),
  ];
}

/** Tables that were replaced by views, or that show each reader something else. */
async function tableFaults(query: Query): Promise<string[]> {
  const { rows } = await query(
    `SELECT relname AS name, relkind AS kind, relrowsecurity OR relforcerowsecurity AS secured,
       EXISTS (SELECT FROM pg_rewrite WHERE ev_class = pg_class.oid) AS ruled
     FROM pg_class WHERE relnamespace = 'portcullis'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')`,
  );
  return rows.flatMap((row) => {
    const name = String(row['name']);
    const isTable = row['kind'] === (name === 'records' ? 'p' : 'r');
    return [
      ...(isTable ? [] : [`${name} of the database is no table of its own`]),
      ...((row['secured'] as unknown) ? [`table ${name} of the database hides rows from some readers`] : []),
      ...(isTable && (row['ruled'] as unknown) ? [`table ${name} of the database has a rule`] : []),
    ];
  });
}

/** The guards of the tables: there, switched on, and doing what they were made to do. */
async function guardFaults(query: Query): Promise<string[]> {
  const { rows } = await query(
    `SELECT c.relname || '.' || t.tgname AS name, t.tgenabled AS enabled, t.tgtype AS type, p.prosrc AS body
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE n.nspname = 'portcullis' AND NOT t.tgisinternal AND t.tgparentid = 0`,
  );
  const found = new Map(rows.map((row) => [String(row['name']), row]));
  const faults = pgGuards.flatMap(({ table, name: trigger, type, body }) => {
    const name = `${table}.${trigger}`;
    const row = found.get(name);
    if (!row) return [`trigger ${name} of the database is gone`];
    if (row['enabled'] !== 'O' && row['enabled'] !== 'A')
      return [`trigger ${name} of the database is switched off`];
    const same = Number(row['type']) === type && String(row['body']).trim() === body.trim();
    return same ? [] : [`trigger ${name} of the database was changed`];
  });
  const added = [...found.keys()].filter(
    (name) => !pgGuards.some((guard) => `${guard.table}.${guard.name}` === name),
  );
  return [...faults, ...added.map((name) => `trigger ${name} of the database was added`)];
}

/** What runs in the owner's name decides what may go: as it was made, and led by no names of a caller's. */
async function functionFaults(query: Query): Promise<string[]> {
  const { rows } = await query(
    `SELECT proname AS name, prosrc AS body, prosecdef AS definer, coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false) AS pinned
     FROM pg_proc WHERE pronamespace = 'portcullis'::regnamespace`,
  );
  return rows.flatMap((row) => {
    const name = String(row['name']);
    const body = pgOwnersFunctions.get(name);
    const [definer, pinned] = [row['definer'] as unknown, row['pinned'] as unknown];
    if (body === undefined) return definer ? [`function ${name} of the database was added`] : [];
    const isAsMade = definer && pinned && String(row['body']).trim() === body.trim();
    return isAsMade ? [] : [`function ${name} of the database was changed`];
  });
}

/** A partition has its own copy of each row trigger, which can be taken away or switched off by itself. */
async function partitionFaults(query: Query): Promise<string[]> {
  const { rows } = await query(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'portcullis.records'::regclass AND 2 <> (
       SELECT count(*) FROM pg_trigger t
       WHERE t.tgrelid = c.oid AND t.tgname IN ('records_no_change', 'records_no_delete') AND t.tgenabled IN ('O', 'A'))`,
  );
  return rows.map((row) => `the guard of partition ${String(row['name'])} is gone or switched off`);
}

/** Indexes: there, in use, none beside them, and comparing as PostgreSQL itself does. */
async function indexFaults(query: Query): Promise<string[]> {
  const { rows } = await query(
    `SELECT i.relname AS name, p.relname AS parent, x.indisvalid AND x.indisready AND x.indislive AS used,
       (SELECT bool_and(opcnamespace = 'pg_catalog'::regnamespace) FROM pg_opclass WHERE oid = ANY (x.indclass)) AS plain
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
       LEFT JOIN pg_inherits h ON h.inhrelid = x.indexrelid LEFT JOIN pg_class p ON p.oid = h.inhparent
     WHERE x.indrelid = 'portcullis.records'::regclass
       OR x.indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'portcullis.records'::regclass)`,
  );
  const known = (name: unknown) => pgIndexes.some((one) => one === name);
  const gone = pgIndexes.filter((name) => !rows.some((row) => row['name'] === name));
  const wrong = rows.flatMap((row) => {
    const name = `index ${String(row['name'])} of the database`;
    if (!known(row['parent'] ?? row['name'])) return [`${name} was added`];
    return (row['used'] as unknown) && (row['plain'] as unknown)
      ? []
      : [`${name} was changed or switched off`];
  });
  return [...gone.map((name) => `index ${name} of the database is gone`), ...wrong];
}

interface Compared {
  /** Over the rows as they lie in the table. */
  readonly inTable: string;
  /** That this index alone answers, and that holds for each of these rows. */
  readonly byIndex: string;
  readonly message: string;
}

const settled = "phase <> 'intent'";
const compared: readonly Compared[] = [
  { inTable: 'true', byIndex: 'writer > -2147483648', message: 'verification passes' },
  {
    inTable: `${settled} AND timestamp >= ''`,
    byIndex: `${settled} AND timestamp >= ''`,
    message: 'queries by time pass',
  },
  {
    inTable: "request_id >= ''",
    byIndex: "request_id IS NOT NULL AND request_id >= ''",
    message: 'queries by request id pass',
  },
  {
    inTable: `${settled} AND event >= ''`,
    byIndex: `${settled} AND event IS NOT NULL AND event >= ''`,
    message: 'queries by event pass',
  },
];

/** An index that was off for a while, or that was tampered with, does not know all rows: both ways must count the same. */
async function hiddenEntries(query: Query): Promise<string[]> {
  await reading(query, { table: true });
  const counts = compared.map(({ inTable }) => `count(*) FILTER (WHERE ${inTable})`);
  const { rows } = await query(
    `SELECT ARRAY[${counts.join(', ')}]::text[] AS counts FROM portcullis.records`,
  );
  const inTable = rows[0]?.['counts'] as unknown as readonly string[];
  await reading(query, { table: false });
  const faults: string[] = [];
  for (const [at, { byIndex, message }] of compared.entries()) {
    const found: Row[] = (await query(`SELECT count(*) AS count FROM portcullis.records WHERE ${byIndex}`))
      .rows;
    const hidden = Number(inTable[at]) - Number(found[0]?.['count']);
    if (hidden !== 0)
      faults.push(`${message} over ${hidden} entries: an index of the database does not know them`);
  }
  return faults;
}

async function reading(query: Query, { table }: { table: boolean }): Promise<void> {
  const [rows, index] = table ? ['on', 'off'] : ['off', 'on'];
  for (const way of ['enable_indexscan', 'enable_indexonlyscan']) await query(`SET LOCAL ${way} = ${index}`);
  await query(`SET LOCAL enable_seqscan = ${rows}`);
  await query('SET LOCAL enable_bitmapscan = off');
}
