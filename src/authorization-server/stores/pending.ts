import type { Db } from '../../store/index.ts';

/**
 * What anybody can have stored without signing in, and how many of each are kept: authorization requests that wait for a person
 * (16 KiB at most), and pushed ones (32 KiB).
 */
const mostPending: ReadonlyMap<string, number> = new Map([
  ['Interaction', 10_000],
  ['PushedAuthorizationRequest', 1_000],
]);
/** It is looked once in so many: the bound is exceeded by as many. */
const lookEvery = 100;

/** Lets the oldest go when there are too many: a flood costs those who are slowest at signing in, and never the disk. */
export function createPendingBound(db: Db): (kind: string) => void {
  const trim = db.prepare(`
    DELETE FROM records WHERE kind = :kind AND created_at <= (
      SELECT created_at FROM records WHERE kind = :kind ORDER BY created_at DESC LIMIT 1 OFFSET :most)`);
  const stored = new Map<string, number>();
  return (kind) => {
    const most = mostPending.get(kind);
    if (most === undefined) return;
    const count = (stored.get(kind) ?? 0) + 1;
    stored.set(kind, count % lookEvery);
    if (count >= lookEvery) trim.run({ kind, most });
  };
}
