import { type Db, openDb } from '../../store/index.ts';
import { hexOf } from '../entry-text.ts';
import type { VerifierKey } from '../note.ts';
import { openTrail } from '../query.ts';
import { auditMigrations } from '../schema.ts';
import { compareBeside } from './sqlite-beside.ts';
import { checkInParallel } from './sqlite-parallel.ts';
import { allRows, SqliteRows } from './sqlite-rows.ts';
import type { VerifyStore } from './store.ts';

export interface SqliteToVerify {
  readonly dataDir: string;
  readonly keys: readonly VerifierKey[];
}

/** @throws OperationError when there is no trail or it cannot be read */
export function sqliteToVerify({ dataDir, keys }: SqliteToVerify): VerifyStore {
  const db = openTrail(dataDir);
  db.exec('BEGIN');
  const hashes = db.prepare(
    `SELECT hash FROM records WHERE position = :position
       AND writer = (SELECT id FROM writers WHERE writer = :writer)`,
  );
  let isWhole = false;
  return {
    schemaFaults: async () => schemaFaults(db),
    async inParallel() {
      const check = await checkInParallel(db, { dataDir, keys });
      isWhole = check !== null;
      return check;
    },
    rows: async (take, find) => new SqliteRows(db).between(allRows, take, find),
    beside: async (check) => compareBeside(db, check, isWhole),
    async hashAt(writer, position) {
      const row = hashes.get({ writer, position });
      return row ? hexOf(row['hash']) : null;
    },
    close: async () => db.close(),
  };
}

function schemaFaults(db: Db): string[] {
  const fresh = openDb(':memory:', auditMigrations);
  const made = schemaOf(fresh);
  const found = schemaOf(db);
  fresh.close();
  return [...new Set([...made.keys(), ...found.keys()])].flatMap((name) => {
    if (made.get(name) === found.get(name)) return [];
    const what = !found.has(name) ? 'is gone' : made.has(name) ? 'was changed' : 'was added';
    return [`${name} of the database ${what}`];
  });
}

function schemaOf(db: Db): Map<string, string> {
  // But for what ANALYZE leaves. Other names of SQLite's own are compared: who has the file can give a trigger any name.
  const rows = db
    .prepare(
      "SELECT type, name, sql FROM sqlite_schema WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))",
    )
    .all();
  return new Map(rows.map(({ type, name, sql }) => [`${String(type)} ${String(name)}`, String(sql)]));
}
