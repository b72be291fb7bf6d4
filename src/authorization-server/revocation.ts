import type { Clock } from '../base/index.ts';
import type { Db } from '../store/index.ts';

export type RevocationKind = 'jti' | 'grant' | 'client' | 'subject';

/** Kept this long when the life of the tokens is not known, as in the command line. Longer than any access token's. */
export const revocationKeptMs = 30 * 24 * 3_600_000;

/** Writes one revocation. Usable from any process; a running server notices within its polling interval. */
export function writeRevocation(db: Db, { kind, id, issuer = null, now, expiresAt }: NewRevocation): void {
  db.prepare(
    `INSERT INTO revocations (kind, id, issuer, revoked_at, expires_at)
     VALUES (:kind, :id, :issuer, :now, :expires_at)`,
  ).run({ kind, id, issuer, now, expires_at: expiresAt });
}

export interface NewRevocation {
  readonly kind: RevocationKind;
  readonly id: string;
  /** Null or absent: this authorization server's tokens; `otherIssuers`; or one issuer. */
  readonly issuer?: string | null;
  readonly now: number;
  readonly expiresAt: number;
}

/** Tokens of whatever issuer is configured beside this authorization server. */
export const otherIssuers = '*';

/**
 * Access tokens are JWTs and live until they expire unless they are on this list. It is stored, and held in memory for
 * the hot path; what other processes add is read at every `refresh`.
 */
export interface RevocationList {
  has(kind: RevocationKind, id: string): boolean;
  /** @param expiresAt when the last token concerned is dead anyway, epoch ms */
  add(kind: RevocationKind, id: string, expiresAt: number): void;
  /** Reads what others wrote, and forgets what has expired. */
  refresh(): void;
  onAdded(listener: () => void): void;
}

/** @param issuer this authorization server: entries for others are not its own */
export function openRevocationList(db: Db, clock: Clock, issuer: string): RevocationList {
  const expiries = new Map<string, number>();
  const listeners: (() => void)[] = [];
  const since = db.prepare(
    `SELECT number, kind, id, expires_at FROM revocations
     WHERE number > :last AND (issuer IS NULL OR issuer = :issuer)`,
  );
  let last = 0;

  const readNew = (): boolean => {
    const rows = since.all({ last, issuer });
    for (const row of rows) {
      last = Math.max(last, Number(row['number']));
      const key = `${row['kind']} ${row['id']}`;
      expiries.set(key, Math.max(expiries.get(key) ?? 0, Number(row['expires_at'])));
    }
    return rows.length > 0;
  };
  const announce = () => {
    for (const listener of listeners) listener();
  };
  readNew();
  return {
    has: (kind, id) => expiries.has(`${kind} ${id}`),
    add(kind, id, expiresAt) {
      writeRevocation(db, { kind, id, now: clock.now(), expiresAt });
      if (readNew()) announce();
    },
    refresh() {
      if (readNew()) announce();
      const now = clock.now();
      for (const [key, expiresAt] of expiries) if (expiresAt <= now) expiries.delete(key);
    },
    onAdded: (listener) => listeners.push(listener),
  };
}
