import { errors } from 'oidc-provider';
import { type Clock, type Log, messageOf } from '../../base/index.ts';
import type { Account, AccountStore } from '../accounts/index.ts';
import type { Audit } from '../events.ts';
import { sessionHours } from '../options.ts';
import type { Identities, StoredIdentity } from './identities.ts';
import type { IdentityProvider } from './provider.ts';

export interface RecheckParts {
  readonly accounts: AccountStore;
  readonly identities: Identities;
  /** Null: nobody signs in at a provider any more. */
  readonly provider: IdentityProvider | null;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly log: Log;
}

/** The account, if it may still be used: undefined if not. Rejects with `temporarily_unavailable` if nobody can say. */
export type LivingAccount = (id: string) => Promise<Account | undefined>;

/**
 * Asks the provider again about an account whose word is older than `recheckMinutes`, so that who is disabled there gets
 * no new tokens here. Asked at each refresh and each authorization request. Without a refresh token of the provider a
 * sign-in is good for as long as a session. Fails closed: when the provider cannot be reached, nothing is issued and
 * nothing is lost.
 */
export function createLivingAccount(parts: RecheckParts): LivingAccount {
  const { accounts, identities, provider, clock } = parts;
  const running = new Map<string, Promise<boolean>>();
  return async (id) => {
    const known = accounts.byId(id) && identities.ofAccount(id);
    if (!known) return accounts.byId(id);
    if (provider === null || provider.config.issuer !== known.issuer) return undefined;
    if (isFresh(clock.now() - known.checkedAt, provider.config.recheckMinutes * 60_000)) {
      return accounts.byId(id);
    }
    // Providers that rotate refresh tokens take a concurrent second use for theft.
    const check = running.get(id) ?? ask(parts, provider, known).finally(() => running.delete(id));
    running.set(id, check);
    return (await check) ? accounts.byId(id) : undefined;
  };
}

/** A clock that was set back makes nothing fresh. */
function isFresh(ageMs: number, limitMs: number): boolean {
  return ageMs >= 0 && ageMs < limitMs;
}

async function ask(parts: RecheckParts, provider: IdentityProvider, known: StoredIdentity): Promise<boolean> {
  const { identities, clock, audit, log } = parts;
  if (known.refreshToken === null) return isFresh(clock.now() - known.signedInAt, sessionHours * 3_600_000);
  try {
    const answer = await provider.recheck(known.subject, known.refreshToken);
    if (answer.state === 'confirmed') {
      identities.confirm(known, answer.identity, answer.refreshToken);
      return true;
    }
    identities.withdraw(known);
    audit('signin.withdrawn', { subject: known.accountId, data: { reason: answer.reason } });
    return false;
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'the identity provider could not confirm an account');
    throw unavailable();
  }
}

/** 503 and not 400: the refresh token has not been used, and clients may try again. */
function unavailable(): Error {
  const error = new errors.TemporarilyUnavailable('the identity provider cannot be asked at the moment');
  return Object.assign(error, { status: 503, statusCode: 503 });
}
