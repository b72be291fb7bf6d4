import { messageOf, OperationError } from '../../base/index.ts';
import {
  connectPostgres,
  type PgQueries,
  type PgValue,
  type Postgres,
  type PostgresOptions,
  type Row,
} from '../../store/index.ts';
import { conditionsOf, entryOf, phaseOf, storedColumns } from '../sql.ts';
import { oneView, pageRows } from './postgres-page.ts';
import { presenceOf } from './presence.ts';
import type { AuditSource, Named } from './source.ts';

const page = 500;

/**
 * The trail in a PostgreSQL database, whatever replicas write to it.
 * @throws OperationError when there is no trail or it cannot be read
 */
export async function postgresSource(options: Pick<PostgresOptions, 'url' | 'log'>): Promise<AuditSource> {
  const database = await connectPostgres({
    ...options,
    connections: 2,
    statementMs: 120_000,
    readOnly: true,
    schema: 'portcullis',
  });
  try {
    const { rows } = await database.query("SELECT to_regclass('portcullis.records') IS NOT NULL AS there");
    if (rows[0]?.['there'] as unknown) return sourceOf(database);
    throw new OperationError(`no audit trail in ${database.place}`, {
      hint: 'start a gateway with this `postgres:` once: it makes the tables',
    });
  } catch (error) {
    await database.close();
    if (error instanceof OperationError) throw error;
    const message = `cannot read the audit trail in ${database.place}: ${messageOf(error)}`;
    throw new OperationError(message, { cause: error });
  }
}

/** The same over a connection that somebody else opened, to the schema `portcullis`, and closes. */
export function sourceOf(database: Postgres): AuditSource {
  return {
    place: database.place,
    field: (name) => name,
    run: (statement) => run(database, statement),
    page: (query, place) =>
      database.transaction(async (queries) => {
        await queries.query(oneView);
        return pageRows({ run: (statement) => run(queries, statement), query, place }, queries.query);
      }),
    ofRequest: (requestId, count) =>
      run(database, {
        sql: `SELECT ${storedColumns} FROM records JOIN writers ON writers.id = records.writer
              WHERE request_id = :requestId ORDER BY records.seq LIMIT :count`,
        parameters: { requestId, count },
      }),
    async mark() {
      const { rows } = await database.query('SELECT writer, position FROM heads');
      return new Map(rows.map((row) => [String(row['writer']), Number(row['position'])]));
    },
    /**
     * By writer: `seq` is given before a commit, so what commits later may have a lower one; the positions of a writer
     * come in order, without gaps.
     */
    async after(from, filter) {
      const { rows: heads } = await database.query('SELECT writer, position FROM heads ORDER BY at');
      const mark = new Map(from);
      const entries = [];
      for (const row of heads) {
        const [writer, upTo] = [String(row['writer']), Number(row['position'])];
        const after = mark.get(writer) ?? 0;
        if (after >= upTo) continue;
        const last = Math.min(upTo, after + page);
        const rows = await run(database, between({ writer: Number(writer), after, last }, filter));
        entries.push(...rows.map(entryOf));
        mark.set(writer, last);
      }
      return { entries, mark };
    },
    presence: (writers) => presenceOf(database, writers),
    close: () => database.close(),
  };
}

function between(
  range: { writer: number; after: number; last: number },
  filter: Parameters<AuditSource['after']>[1],
): Named {
  const { sql, parameters } = conditionsOf(filter);
  return {
    sql: `SELECT ${storedColumns} FROM records JOIN writers ON writers.id = records.writer
          WHERE records.writer = :writer AND position > :after AND position <= :last AND ${phaseOf(filter)}${sql} ORDER BY position`,
    parameters: { ...parameters, ...range },
  };
}

/** `:name` as `$1`, `$2` …; a name that stands twice is one parameter. */
async function run(database: PgQueries, { sql, parameters }: Named): Promise<Row[]> {
  const names: string[] = [];
  const numbered = sql.replaceAll(/(?<![:\w]):([a-zA-Z]\w*)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  const values = names.map((name): PgValue => parameters[name] ?? null);
  return (await database.query(numbered, values)).rows;
}
