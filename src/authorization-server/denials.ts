import { type Clock, type Log, messageOf } from '../base/index.ts';
import type { Principal } from '../identity/index.ts';
import type { Row } from '../store/index.ts';
import { pollMs } from './maintenance.ts';
import { otherIssuers, writeRevocation } from './revocation.ts';
import type { SharedDenials } from './shared-denials.ts';
import { openStore } from './stores/schema.ts';

/** One revocation, of whichever issuer's tokens. */
export interface Denial {
  readonly kind: string;
  readonly id: string;
  /** Exact, or `otherIssuers`. */
  readonly issuer: string;
  /** Epoch ms. */
  readonly revokedAt: number;
  readonly expiresAt: number;
}

/**
 * The deny list for tokens that this gateway does not issue. Their issuer may not know of it, or cannot be asked; here they
 * end all the same. What any process on the data directory writes, or any gateway on the same Redis, is known within the bound.
 */
export interface Denials {
  /** Synchronous: asked at every use of a token. */
  has(principal: Principal): boolean;
  onAdded(listener: () => void): void;
  close(): Promise<void>;
}

export interface DenialsOptions {
  readonly dataDir: string;
  /** Of the embedded authorization server, whose revocations others should hear of; null where there is none. */
  readonly ownIssuer: string | null;
  /** The bound of the configuration that is in force. */
  readonly withinSeconds: () => number;
  /** Null where there is one machine. */
  readonly shared: SharedDenials | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly onState?: (isReachable: boolean, detail: string | null) => void;
}

/** Issuers' clocks may differ from ours by this much. */
const skewMs = 30_000;
const sweepMs = 10 * 60_000;

/** @throws OperationError when the store cannot be used */
export async function openDenials(options: DenialsOptions): Promise<Denials> {
  const { clock, shared, withinSeconds } = options;
  const kept = new Kept(options);
  const listeners: (() => void)[] = [];
  let isReachable = true;
  let isOver = false;
  const state = (now: boolean, detail: string | null): void => {
    if (now === isReachable) return;
    isReachable = now;
    if (!now) options.log.error({ detail }, 'revocations cannot be shared: Redis does not answer');
    options.onState?.(now, detail);
  };
  const look = async (): Promise<void> => {
    let isNew = kept.read();
    if (shared !== null) {
      try {
        await exchange(kept, shared);
        isNew = kept.read() || isNew;
        state(true, null);
      } catch (error) {
        state(false, messageOf(error));
      }
    }
    if (isNew && !isOver) for (const listener of listeners) listener();
  };
  await look();
  let timer: NodeJS.Timeout | undefined;
  const next = (): void => {
    if (isOver) return;
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) =>
          options.log.error({ detail: messageOf(error) }, 'revocations cannot be read'),
        )
        .finally(next);
    }, pollMs(withinSeconds())).unref();
  };
  next();
  const sweeper = setInterval(() => kept.sweep(clock.now()), sweepMs).unref();
  return {
    has: (principal) => kept.has(principal),
    onAdded: (listener) => listeners.push(listener),
    async close() {
      isOver = true;
      clearTimeout(timer);
      clearInterval(sweeper);
      kept.close();
    },
  };
}

/** Both ways: what is here and not there, and what came there since the last look. */
async function exchange(kept: Kept, shared: SharedDenials): Promise<void> {
  const { arrived, wasLost } = await shared.since();
  kept.take(arrived);
  const due = kept.unshared(wasLost);
  if (due.denials.length > 0) await shared.add(due.denials);
  kept.sharedUpTo(due.last);
}

/** What is on disk, and a copy in memory for the hot path. */
class Kept {
  readonly #db;
  readonly #options: DenialsOptions;
  readonly #denials = new Map<string, { revokedAt: number; expiresAt: number }>();
  #last = 0;
  #shared = 0;

  constructor(options: DenialsOptions) {
    this.#options = options;
    this.#db = openStore(options.dataDir);
  }

  has({ tokenId, grantId, clientId, subject, issuer, issuedAt }: Principal): boolean {
    if (this.#denials.size === 0) return false;
    const issued = (issuedAt ?? 0) * 1000;
    for (const whose of [issuer, otherIssuers]) {
      if (this.#find('jti', whose, tokenId)) return true;
      if (grantId !== null && this.#find('grant', whose, grantId)) return true;
      // Whoever is let in again gets new tokens; the old ones stay dead.
      for (const found of [this.#find('client', whose, clientId), this.#find('subject', whose, subject)]) {
        if (found && issued <= found.revokedAt + skewMs) return true;
      }
    }
    return false;
  }

  #find(kind: string, issuer: string, id: string) {
    return this.#denials.get(`${kind} ${issuer} ${id}`);
  }

  /** @returns whether there was anything new */
  read(): boolean {
    const rows = this.#rows(this.#last);
    let isNew = false;
    for (const row of rows) {
      this.#last = Math.max(this.#last, Number(row['number']));
      const denial = this.#denialOf(row);
      if (denial === null) continue;
      isNew = this.#remember(denial) || isNew;
    }
    return isNew;
  }

  /** Writes down what another machine revoked, so that it holds over a restart. */
  take(arrived: readonly Denial[]): void {
    const fresh = arrived.filter(
      (denial) => denial.expiresAt > this.#options.clock.now() && !this.#knows(denial),
    );
    if (fresh.length === 0) return;
    this.#db.transaction(() => {
      for (const { kind, id, issuer, revokedAt: now, expiresAt } of fresh) {
        const issuerOrOwn = issuer === this.#options.ownIssuer ? null : issuer;
        writeRevocation(this.#db, { kind: kind as 'jti', id, issuer: issuerOrOwn, now, expiresAt });
      }
    });
  }

  /** @param all again, because the other side has lost them */
  unshared(all: boolean): { denials: readonly Denial[]; last: number } {
    const rows = this.#rows(all ? 0 : this.#shared);
    const now = this.#options.clock.now();
    const denials = rows.map((row) => this.#denialOf(row)).filter((one) => one !== null);
    return {
      denials: denials.filter(({ expiresAt }) => expiresAt > now),
      last: Math.max(this.#shared, ...rows.map((row) => Number(row['number']))),
    };
  }

  sharedUpTo(number: number): void {
    this.#shared = number;
  }

  sweep(now: number): void {
    for (const [key, { expiresAt }] of this.#denials) if (expiresAt <= now) this.#denials.delete(key);
    this.#db.prepare('DELETE FROM revocations WHERE expires_at <= :now').run({ now });
  }

  close(): void {
    this.#db.close();
  }

  #rows(last: number): Row[] {
    return this.#db.prepare('SELECT * FROM revocations WHERE number > :last').all({ last });
  }

  /** Null: of our own tokens, where nobody else could hear of them. */
  #denialOf(row: Row): Denial | null {
    const issuer = row['issuer'] === null ? this.#options.ownIssuer : String(row['issuer']);
    if (issuer === null) return null;
    return {
      kind: String(row['kind']),
      id: String(row['id']),
      issuer,
      revokedAt: Number(row['revoked_at']),
      expiresAt: Number(row['expires_at']),
    };
  }

  #knows({ kind, issuer, id, revokedAt, expiresAt }: Denial): boolean {
    const known = this.#find(kind, issuer, id);
    return known !== undefined && known.revokedAt >= revokedAt && known.expiresAt >= expiresAt;
  }

  #remember(denial: Denial): boolean {
    if (this.#knows(denial)) return false;
    const { kind, issuer, id } = denial;
    const known = this.#find(kind, issuer, id);
    this.#denials.set(`${kind} ${issuer} ${id}`, {
      revokedAt: Math.max(denial.revokedAt, known?.revokedAt ?? 0),
      expiresAt: Math.max(denial.expiresAt, known?.expiresAt ?? 0),
    });
    return true;
  }
}
