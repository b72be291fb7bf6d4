import { type Log, messageOf, OperationError, type Secret } from '../../base/index.ts';
import { connectPostgres, type PgQueries, type Postgres, type Row } from '../../store/index.ts';
import { textColumns } from '../columns.ts';
import { hexOf } from '../entry-text.ts';
import { compareBeside } from './postgres-beside.ts';
import { schemaFaults } from './postgres-schema-faults.ts';
import type { VerifyStore } from './store.ts';

const pageRows = 5_000;

/** @throws OperationError when there is no trail or it cannot be read */
export async function postgresToVerify(url: Secret, log: Log): Promise<VerifyStore> {
  const database = await connectPostgres({
    url,
    log,
    connections: 1,
    statementMs: 3_600_000,
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
    beside: (check) => compareBeside(database, check),
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
