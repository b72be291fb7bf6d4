import { join } from 'node:path';
import { type Migrations, openDb } from '../store/index.ts';
import type { SeenStore } from './seen.ts';

const migrations: Migrations = {
  name: 'detections',
  steps: [
    `CREATE TABLE seen (
      digest TEXT PRIMARY KEY,
      at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX seen_at ON seen (at);`,
  ],
};

/** `detections.db` in the data directory: digests alone, so that the file says nothing of anybody. */
export function openSeenStore(dataDir: string, max: number): SeenStore {
  const db = openDb(join(dataDir, 'detections.db'), migrations);
  const add = db.prepare(
    'INSERT INTO seen (digest, at) VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET at = excluded.at',
  );
  const forget = db.prepare(
    'DELETE FROM seen WHERE digest IN (SELECT digest FROM seen ORDER BY at DESC LIMIT -1 OFFSET :max)',
  );
  return {
    load: () =>
      db
        .prepare('SELECT digest, at FROM seen ORDER BY at')
        .all()
        .map(({ digest, at }) => [String(digest), Number(at)] as const),
    save(seen) {
      db.transaction(() => {
        for (const [digest, at] of seen) add.run([digest, at]);
        forget.run({ max });
      });
    },
    close: () => db.close(),
  };
}
