import { type Db, openDb } from '../../store/index.ts';
import { hexOf } from '../entry-text.ts';
import { openTrail } from '../query.ts';
import { auditMigrations } from '../schema.ts';
import { ColumnCheck, checkedColumns } from './columns.ts';
import type { VerifyStore } from './store.ts';

/** @throws OperationError when there is no trail or it cannot be read */
export function sqliteToVerify(dataDir: string): VerifyStore {
  const db = openTrail(dataDir);
  db.exec('BEGIN');
  const hashes = db.prepare(
    `SELECT hash FROM records WHERE position = :position
       AND writer = (SELECT id FROM writers WHERE writer = :writer)`,
  );
  return {
    schemaFaults: async () => schemaFaults(db),
    async rows(take, find) {
      const rows = db
        .prepare(
          `SELECT coalesce(writers.writer, '?' || records.writer) AS writer, position, entry,
             CASE typeof(hash) WHEN 'blob' THEN lower(hex(hash)) ELSE hash END AS hash, ${checkedColumns}
           FROM records LEFT JOIN writers ON writers.id = records.writer ORDER BY seq`,
        )
        .iterate();
      let at = { writer: '', position: 0 };
      const columns = new ColumnCheck(db, (kind, message) => find(kind, at, message));
      for (const row of rows) {
        at = { writer: String(row['writer']), position: Number(row['position']) };
        columns.row(row);
        take({ ...at, text: String(row['entry']), hash: String(row['hash']) });
      }
      columns.end();
    },
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
  const rows = db.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").all();
  return new Map(rows.map(({ type, name, sql }) => [`${String(type)} ${String(name)}`, String(sql)]));
}
