import type { Db } from '../../store/index.ts';

const dayMs = 24 * 3_600_000;

export interface SweepOptions {
  readonly now: number;
  /** Registered clients without a living grant go after this many days; null keeps them. */
  readonly unusedDays: number | null;
}

/** Deletes what has expired, and registered clients that nobody uses. Returns how many clients went. */
export function sweep(db: Db, { now, unusedDays }: SweepOptions): number {
  return db.transaction(() => {
    db.prepare('DELETE FROM records WHERE expires_at <= :now').run({ now });
    db.prepare('DELETE FROM used_tickets WHERE expires_at <= :now').run({ now });
    db.prepare('DELETE FROM revocations WHERE expires_at <= :now').run({ now });
    if (unusedDays === null) return 0;
    return db
      .prepare(`
        DELETE FROM records AS client WHERE kind = 'Client'
          AND coalesce(used_at, created_at) <= :before
          AND NOT EXISTS (SELECT 1 FROM records WHERE kind = 'Grant' AND client_id = client.id)`)
      .run({ before: now - unusedDays * dayMs }).changes;
  });
}
