import type { Pool, PoolClient, QueryResult } from 'pg';
import { type Log, messageOf, OperationError, type Secret } from '../base/index.ts';
import type { Row } from './db.ts';
import { type Copy, copyIn, copyOut } from './postgres-copy.ts';

/** Arrays become PostgreSQL arrays: one parameter for a whole column of a batch. */
export type PgValue = null | number | bigint | string | Uint8Array | boolean | readonly (string | null)[];

export interface PgResult {
  readonly rows: Row[];
  readonly count: number;
}

/** What runs one statement. Parameters are `$1`, `$2` …, never spliced into SQL. */
export interface PgQueries {
  query(sql: string, parameters?: readonly (PgValue | readonly PgValue[])[]): Promise<PgResult>;
}

/** A PostgreSQL database, by a small pool. A connection that broke is replaced at the next use. */
export interface Postgres extends PgQueries {
  /** Host and database, for people: no user, no password. */
  readonly place: string;
  /** Runs `work` in one transaction on one connection; rolls back if it rejects. */
  transaction<T>(work: (queries: PgQueries) => Promise<T>): Promise<T>;
  /** Runs statements with a COPY, as one transaction, in two round trips. @returns how many rows were copied */
  copy(copy: Copy): Promise<number>;
  /** Gives each row of a `COPY … TO STDOUT` as it comes, in the text format (see `readCopyField`). */
  copyOut(sql: string, take: (row: Buffer) => void): Promise<void>;
  /** Whether the server itself answers: a pooler in between tells clients another process than the one that they get. */
  isDirect(): Promise<boolean>;
  close(): Promise<void>;
}

export interface PostgresOptions {
  /** `postgres://…`, with the password. */
  readonly url: Secret;
  readonly log: Log;
  readonly connections: number;
  /** A statement that takes longer is ended by the server; the client gives up a second later. */
  readonly statementMs: number;
  /** Nothing is written on these connections. */
  readonly readOnly?: boolean;
  /** A connection stays open however long it has nothing to do: for a transaction that is held over many calls. */
  readonly isHeld?: boolean;
  /** Where names without a schema are looked up. `public` by default. */
  readonly schema?: string;
}

const connectMs = 5_000;

/** @throws OperationError when the package `pg` is not installed. A server that does not answer throws nothing yet. */
export async function connectPostgres(options: PostgresOptions): Promise<Postgres> {
  const { url, log, connections, statementMs, isHeld = false } = options;
  const { Pool: PgPool } = await load();
  const pool = new PgPool({
    connectionString: url.reveal(),
    max: connections,
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: isHeld ? 0 : 30_000,
    keepAlive: true,
    application_name: 'portcullis',
    statement_timeout: statementMs,
    query_timeout: statementMs + 1_000, // the server may be silent: then the client ends it
    options: settingsOf(options),
  });
  // Of idle connections; unheard it would end the process.
  pool.on('error', (error) => log.debug({ error: messageOf(error) }, 'a connection to PostgreSQL broke'));
  return {
    place: postgresPlace(url),
    query: (sql, parameters = []) => run(pool, sql, parameters),
    transaction: (work) => withClient(pool, (client) => inTransaction(client, work)),
    copy: (copy) => withClient(pool, (client) => copyIn(client, copy)),
    copyOut: (sql, take) => withClient(pool, (client) => copyOut(client, sql, take)),
    isDirect: () => withClient(pool, isDirect),
    close: () => pool.end(),
  };
}

async function isDirect(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  // Its types leave this out: what the server said at the start (BackendKeyData).
  return rows[0]?.pid === (client as PoolClient & { readonly processID?: number }).processID;
}

/** Host and database, for people: no user, no password. */
export function postgresPlace(url: Secret): string {
  const { host, pathname } = new URL(url.reveal());
  return `${host}${pathname}`;
}

const noticing = ['tcp_keepalives_idle=30', 'tcp_keepalives_interval=10', 'tcp_keepalives_count=3'];

function settingsOf({ readOnly = false, isHeld = false, schema }: PostgresOptions): string {
  // All statements here are short: to compile one takes longer than to run it.
  // The rest is what the server says itself unless an operator has changed it.
  const settings = [
    'synchronous_commit=on',
    'timezone=UTC',
    'jit=off',
    'bytea_output=hex',
    'extra_float_digits=1',
    'DateStyle=ISO',
    'standard_conforming_strings=on',
  ];
  // What is read in pages has an index in its order; without statistics PostgreSQL would rather sort all of it, for each page.
  if (readOnly) settings.push('default_transaction_read_only=on', 'enable_sort=off');
  // And if this machine is gone, the server notices within a minute.
  if (isHeld) settings.push('idle_in_transaction_session_timeout=0', 'idle_session_timeout=0', ...noticing);
  if (schema !== undefined) settings.push(`search_path=${schema}`);
  return settings.map((setting) => `-c ${setting}`).join(' ');
}

async function load(): Promise<Pick<typeof import('pg'), 'Pool'>> {
  try {
    return (await import('pg')).default;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new OperationError('the configuration has `postgres:`, and the package pg is not installed', {
      hint: 'npm install pg@8, where portcullis is installed',
      cause: error,
    });
  }
}

async function run(on: Pool | PoolClient, sql: string, parameters: readonly unknown[]): Promise<PgResult> {
  const { rows, rowCount }: QueryResult<Row> = await on.query(sql, [...parameters]);
  return { rows, count: rowCount ?? 0 };
}

async function inTransaction<T>(client: PoolClient, work: (queries: PgQueries) => Promise<T>): Promise<T> {
  try {
    await client.query('BEGIN');
    const result = await work({ query: (sql, parameters = []) => run(client, sql, parameters) });
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function withClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // While it is taken out of the pool, its errors come here; the statement that runs rejects with the same.
  const broken = () => {};
  client.on('error', broken);
  let failure: Error | undefined;
  try {
    return await work(client);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(messageOf(error));
    throw error;
  } finally {
    client.off('error', broken);
    client.release(failure); // one that failed is closed, not used again: nobody knows its state
  }
}

export interface PgMigrations {
  readonly name: string;
  /** Forward only: index + 1 is the schema version. */
  readonly steps: readonly string[];
}

/** Any number that nobody else uses: PostgreSQL has one space of advisory locks for a database. */
const migrationLock = 7_046_029_254;

/**
 * Brings the schema up to date; of several that start at once one does it, and the others wait. Where it is up to date nothing is
 * touched: a user who may only append is enough then.
 */
export async function migratePostgres(database: Postgres, { name, steps }: PgMigrations): Promise<void> {
  if ((await versionOf(database, name)) === steps.length) return;
  await database.transaction(async ({ query }) => {
    await query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
    await query('CREATE SCHEMA IF NOT EXISTS portcullis');
    await query(
      'CREATE TABLE IF NOT EXISTS portcullis.migrations (name text PRIMARY KEY, version integer NOT NULL)',
    );
    const version = await versionOf({ query }, name);
    if (version > steps.length) {
      throw new OperationError(`${database.place} was written by a newer Portcullis (schema ${version})`, {
        hint: 'run the newer version, or name another database',
      });
    }
    for (const step of steps.slice(version)) await query(step);
    await query(
      `INSERT INTO portcullis.migrations (name, version) VALUES ($1, $2)
       ON CONFLICT (name) DO UPDATE SET version = excluded.version`,
      [name, steps.length],
    );
  });
}

async function versionOf({ query }: PgQueries, name: string): Promise<number> {
  const { rows: found } = await query("SELECT to_regclass('portcullis.migrations') IS NOT NULL AS there");
  if (!(found[0]?.['there'] as unknown)) return 0;
  const { rows } = await query('SELECT version FROM portcullis.migrations WHERE name = $1', [name]);
  return Number(rows[0]?.['version'] ?? 0);
}
