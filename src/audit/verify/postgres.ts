import { type Log, messageOf, OperationError, type Secret } from '../../base/index.ts';
import { connectPostgres, type PgQueries, type Postgres, type Row } from '../../store/index.ts';
import { textColumns } from '../columns.ts';
import { hexOf } from '../entry-text.ts';
import { pgGuards } from '../postgres-schema.ts';
import type { VerifyStore } from './store.ts';

const pageRows = 5_000;

/** @throws OperationError when there is no trail or it cannot be read */
export async function postgresToVerify(url: Secret, log: Log): Promise<VerifyStore> {
  const database = await connectPostgres({
    url,
    log,
    connections: 1,
    statementMs: 120_000,
    readOnly: true,
    schema: 'portcullis',
  });
  try {
    // On the one connection: all that follows sees the store as it is now.
    await database.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await database.query("SELECT to_regclass('portcullis.records') IS NOT NULL AS there");
    if (!(rows[0]?.['there'] as unknown)) throw new OperationError(`no audit trail in ${database.place}`);
    return storeOf(database);
  } catch (error) {
    await database.close();
    if (error instanceof OperationError) throw error;
    throw new OperationError(`cannot read the audit trail in ${database.place}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function storeOf(database: Postgres): VerifyStore {
  return {
    schemaFaults: () => schemaFaults(database),
    async rows(take, find) {
      for (let last: Row | undefined, more = true; more; ) {
        const rows = await page(database, last);
        for (const row of rows) {
          const at = { writer: String(row['name']), position: Number(row['position']) };
          const text = String(row['entry']);
          take({ ...at, text, hash: hexOf(row['hash']) });
          const wrong = contradiction(row, text);
          if (wrong)
            find('column', at, `entry ${at.position} has a column ${wrong} that says something else`);
        }
        last = rows.at(-1);
        more = rows.length === pageRows;
      }
    },
    async hashAt(writer, position) {
      const { rows } = await database.query(
        'SELECT hash FROM records WHERE writer = (SELECT id FROM writers WHERE writer = $1) AND position = $2',
        [writer, position],
      );
      return rows[0] ? hexOf(rows[0]['hash']) : null;
    },
    close: () => database.close(),
  };
}

async function page({ query }: PgQueries, last: Row | undefined): Promise<Row[]> {
  const { rows } = await query(
    `SELECT records.writer, position, at::text AS at, entry, hash, latency_ms, ${textColumns.map((name) => `records.${name}`).join(', ')},
       coalesce((SELECT writers.writer FROM writers WHERE id = records.writer), '?' || records.writer) AS name
     FROM records WHERE (records.writer, position, at) > ($1::int, $2::bigint, $3::timestamptz)
     ORDER BY records.writer, position, at LIMIT $4`,
    last
      ? [Number(last['writer']), Number(last['position']), String(last['at']), pageRows]
      : [-1, 0, '-infinity', pageRows],
  );
  return rows;
}

/** Columns are written beside the text here, and queries read them: they must say what it says. */
function contradiction(row: Row, text: string): string | null {
  let said: Readonly<Record<string, unknown>>;
  try {
    said = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null; // its hash tells
  }
  const wrong = textColumns.find((name) => (said[name] || null) !== row[name]);
  return wrong ?? ((said['latency_ms'] ?? null) === row['latency_ms'] ? null : 'latency_ms');
}

/** The guards of the tables: there, switched on, and doing what they were made to do. */
async function schemaFaults({ query }: PgQueries): Promise<string[]> {
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
  return [
    ...faults,
    ...added.map((name) => `trigger ${name} of the database was added`),
    ...(await partitionFaults(query)),
  ];
}

/** A partition has its own copy of each row trigger, which can be taken away or switched off by itself. */
async function partitionFaults(query: PgQueries['query']): Promise<string[]> {
  const { rows } = await query(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'portcullis.records'::regclass AND 2 <> (
       SELECT count(*) FROM pg_trigger t
       WHERE t.tgrelid = c.oid AND t.tgname IN ('records_no_change', 'records_no_delete') AND t.tgenabled IN ('O', 'A'))`,
  );
  return rows.map((row) => `the guard of partition ${String(row['name'])} is gone or switched off`);
}
