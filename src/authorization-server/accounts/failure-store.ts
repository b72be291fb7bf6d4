import type { Db } from '../../store/index.ts';
import type { FailureStore } from './throttle.ts';

/** Failed sign-ins of one kind of key, oldest first. Names are hashed in the keys; addresses stand in the audit log anyway. */
export function createFailureStore(db: Db, kind: string): FailureStore {
  const all = db.prepare('SELECT * FROM sign_in_failures WHERE kind = :kind ORDER BY started_at');
  const save = db.prepare(`
    INSERT INTO sign_in_failures (kind, key, started_at, failures) VALUES (:kind, :key, :started_at, :failures)
    ON CONFLICT (kind, key) DO UPDATE SET started_at = excluded.started_at, failures = excluded.failures`);
  const remove = db.prepare('DELETE FROM sign_in_failures WHERE kind = :kind AND key = :key');
  return {
    load: () =>
      all.all({ kind }).map((row) => {
        const window = { startedAt: Number(row['started_at']), failures: Number(row['failures']) };
        return [String(row['key']), window] as const;
      }),
    save(key, { startedAt, failures }) {
      save.run({ kind, key, started_at: startedAt, failures });
    },
    remove(key) {
      remove.run({ kind, key });
    },
  };
}
