import { type Clock, randomToken, sha256Hex } from '../../base/index.ts';
import { addressGroup } from '../../limits/index.ts';
import type { Db } from '../../store/index.ts';
import type { Account, AccountStore } from './accounts.ts';
import { createFailureStore } from './failure-store.ts';
import { hashPassword, verifyPassword } from './password.ts';
import { Throttle, type ThrottleRule } from './throttle.ts';

const minuteMs = 60_000;

/**
 * One address against one account is stopped first; an account under attack from many addresses, and an address that
 * tries many accounts, later: nobody is locked out of their account by a stranger's few wrong guesses.
 */
const rules = {
  pair: { failures: 5, windowMs: 5 * minuteMs },
  account: { failures: 50, windowMs: 60 * minuteMs },
  address: { failures: 30, windowMs: 15 * minuteMs },
} satisfies Record<string, ThrottleRule>;

/** Password hashing that runs at once; each takes 19 MiB. */
const maximumConcurrent = 4;
const maximumWaiting = 64;

export type SignInResult =
  | { readonly ok: true; readonly account: Account }
  | (Failed & { readonly reason: 'wrong' })
  | (Failed & { readonly reason: 'throttled'; readonly retryAfterMs: number });

interface Failed {
  readonly ok: false;
  /** For the record alone: the account that was tried, if there is one. What was typed may be a password in the wrong field. */
  readonly accountId: string | null;
}

export interface SignInAttempt {
  readonly name: string;
  readonly password: string;
  readonly address: string;
}

export type SignIn = (attempt: SignInAttempt) => Promise<SignInResult>;

export interface SignInParts {
  readonly accounts: AccountStore;
  readonly clock: Clock;
  /** Keeps the failures, so that a restart forgives none. */
  readonly db: Db;
}

/** Checks a name and a password, both attacker-controlled. Unknown names cost and answer the same as wrong passwords. */
export async function createSignIn({ accounts, clock, db }: SignInParts): Promise<SignIn> {
  const throttles = {
    pair: new Throttle(rules.pair, createFailureStore(db, 'pair')),
    account: new Throttle(rules.account, createFailureStore(db, 'account')),
    address: new Throttle(rules.address, createFailureStore(db, 'address')),
  };
  const nobody = await hashPassword(randomToken());
  const queue = createQueue();

  return async ({ name, password, address }) => {
    const account = sha256Hex(name.toLowerCase().slice(0, 256));
    const from = addressGroup(address);
    const counters = [
      [throttles.pair, `${account} ${from}`],
      [throttles.account, account],
      [throttles.address, from],
    ] as const;
    const now = clock.now();
    const retryAfterMs = Math.max(...counters.map(([throttle, key]) => throttle.waitMs(key, now)));
    const found = accounts.credentials(name);
    const failed = { ok: false, accountId: found?.account.id ?? null } as const;
    if (retryAfterMs > 0) return { ...failed, reason: 'throttled', retryAfterMs };
    db.transaction(() => {
      for (const [throttle, key] of counters) throttle.count(key, now);
    });

    const matches = await queue(() => verifyPassword(password, found?.passwordHash ?? nobody));
    if (matches === 'full') return { ...failed, reason: 'throttled', retryAfterMs: 5_000 };
    if (!matches || found === undefined) return { ...failed, reason: 'wrong' };
    db.transaction(() => {
      for (const [throttle, key] of counters) throttle.takeBack(key);
    });
    return { ok: true, account: found.account };
  };
}

/** Runs a few at a time, keeps a few more waiting and turns the rest away. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T | 'full'> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < maximumConcurrent) running += 1;
    else if (waiting.length >= maximumWaiting) return 'full';
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
