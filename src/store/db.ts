import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { OperationError } from '../base/index.ts';

export type SqlValue = null | number | bigint | string | Uint8Array;
export type Row = Record<string, SqlValue>;

/** A prepared statement. Parameters are bound by name (`:name`), never spliced into SQL. */
export interface Statement {
  /** Takes positional values for `?` too: three times as fast for wide rows. */
  run(parameters?: Record<string, SqlValue> | readonly SqlValue[]): { changes: number };
  get(parameters?: Readonly<Record<string, SqlValue>>): Row | undefined;
  all(parameters?: Readonly<Record<string, SqlValue>>): Row[];
  /** The rows as lists of values: a third faster, where there are very many. */
  tuples(parameters?: Readonly<Record<string, SqlValue>>): SqlValue[][];
  /** One row at a time: memory stays flat. */
  iterate(parameters?: Readonly<Record<string, SqlValue>>): IterableIterator<Row>;
}

/** The embedded store. Small on purpose: better-sqlite3 could stand behind it. */
export interface Db {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  /** Runs `work` in one IMMEDIATE transaction; rolls back if it throws. Not reentrant. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** Forward-only migrations: index + 1 is the schema version, kept per `name` so that parts can share one file. */
export interface Migrations {
  readonly name: string;
  readonly steps: readonly string[];
}

export interface DbOptions {
  /** How long a statement waits for another connection's lock. 5,000 by default. */
  readonly busyTimeoutMs?: number;
  /** Of a file that is made now; SQLite's own (4,096) by default. */
  readonly pageSize?: number;
  /** Locks the file against every other connection until it is closed. `openDb` alone; one that is locked throws SQLITE_BUSY. */
  readonly isExclusive?: boolean;
  /** Told before a file of an older version is brought up to date, which may take its time. `openDb` alone. */
  readonly beforeMigration?: () => void;
}

/** Opens (and creates, mode 0600) a database file with WAL and `synchronous=FULL`, and migrates it. */
export function openDb(file: string, migrations: Migrations, options: DbOptions = {}): Db {
  if (file !== ':memory:') createPrivately(file);
  const raw = new DatabaseSync(file, { timeout: options.busyTimeoutMs ?? 5_000 });
  try {
    if (options.pageSize !== undefined) raw.exec(`PRAGMA page_size = ${options.pageSize}`);
    if (options.isExclusive) raw.exec('PRAGMA locking_mode = EXCLUSIVE');
    raw.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    const db = wrap(raw);
    migrate(db, migrations, { file, ...options });
    return db;
  } catch (error) {
    raw.close();
    throw error;
  }
}

/**
 * Opens an existing file for reading alone, beside any writers. Throws OperationError when the file has no part
 * `name`, or one that is newer than `migrations`.
 */
export function openDbForReading(file: string, migrations: Migrations, options: DbOptions = {}): Db {
  const raw = new DatabaseSync(file, { readOnly: true, timeout: options.busyTimeoutMs ?? 5_000 });
  try {
    const db = wrap(raw);
    const tables = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'");
    const version = tables.get() === undefined ? 0 : schemaVersion(db, migrations.name);
    if (version === 0) throw new OperationError(`${file} holds no ${migrations.name}`);
    refuseNewer(version, migrations, file);
    if (version < migrations.steps.length) {
      throw new OperationError(`${file} was written by an older Portcullis (schema ${version})`, {
        hint: 'start the gateway once, which brings it up to date',
      });
    }
    return db;
  } catch (error) {
    raw.close();
    throw error;
  }
}

/** SQLite would create the file with the umask's mode; its -wal and -shm files take over the mode found here. */
function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function wrap(raw: DatabaseSync): Db {
  return {
    prepare: (sql) => statement(raw.prepare(sql)),
    exec: (sql) => raw.exec(sql),
    transaction(work) {
      raw.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        raw.exec('COMMIT');
        return result;
      } catch (error) {
        if (raw.isTransaction) raw.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => raw.close(),
  };
}

function statement(prepared: StatementSync): Statement {
  type Parameters = Record<string, SQLInputValue>;
  return {
    run(parameters = {}) {
      const result = Array.isArray(parameters)
        ? prepared.run(...(parameters as SQLInputValue[]))
        : prepared.run(parameters as Parameters);
      return { changes: Number(result.changes) };
    },
    get: (parameters = {}) => prepared.get(parameters as Parameters) as Row | undefined,
    all: (parameters = {}) => prepared.all(parameters as Parameters) as Row[],
    tuples(parameters = {}) {
      prepared.setReturnArrays(true);
      try {
        return prepared.all(parameters as Parameters) as unknown as SqlValue[][];
      } finally {
        prepared.setReturnArrays(false);
      }
    },
    iterate: (parameters = {}) => prepared.iterate(parameters as Parameters) as IterableIterator<Row>,
  };
}

interface Migrating extends DbOptions {
  readonly file: string;
}

function migrate(db: Db, migrations: Migrations, { file, beforeMigration }: Migrating): void {
  db.transaction(() => {
    db.exec('CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT');
    const version = schemaVersion(db, migrations.name);
    refuseNewer(version, migrations, file);
    if (version > 0 && version < migrations.steps.length) beforeMigration?.();
    for (const step of migrations.steps.slice(version)) db.exec(step);
    db.prepare(
      'INSERT INTO migrations (name, version) VALUES (:name, :version) ON CONFLICT (name) DO UPDATE SET version = :version',
    ).run({ name: migrations.name, version: migrations.steps.length });
  });
}

function schemaVersion(db: Db, name: string): number {
  const found = db.prepare('SELECT version FROM migrations WHERE name = :name').get({ name });
  return Number(found?.['version'] ?? 0);
}

function refuseNewer(version: number, migrations: Migrations, file: string): void {
  if (version <= migrations.steps.length) return;
  throw new OperationError(`${file} was written by a newer Portcullis (schema ${version})`, {
    hint: 'run the newer version, or name another directory with --data',
  });
}
