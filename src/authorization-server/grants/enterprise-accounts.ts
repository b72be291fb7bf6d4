import { type Clock, randomToken, Secret, sha256Hex } from '../../base/index.ts';
import type { Db } from '../../store/index.ts';
import type { Account, AccountStore } from '../accounts/index.ts';

/** Somebody whom an enterprise's identity provider vouches for. */
export interface EnterpriseIdentity {
  readonly issuer: string;
  /** Stable and unique at the issuer. */
  readonly subject: string;
  /** For people; decides nothing. */
  readonly email: string | null;
}

/** Which account stands for whom: issuer and subject together, nothing else (OpenID Connect Core section 5.7). */
export interface EnterpriseAccounts {
  /**
   * The account of the identity, made at its first use with the role `user`. Null when an administrator removed it: who
   * was put out does not come back by the next assertion.
   */
  accountOf(identity: EnterpriseIdentity): Promise<Account | null>;
}

const kind = 'EnterpriseIdentity';

export function createEnterpriseAccounts(db: Db, accounts: AccountStore, clock: Clock): EnterpriseAccounts {
  const find = db.prepare(`SELECT payload FROM records WHERE kind = '${kind}' AND id = :id`);
  // Without account_id: what ends with an account must not make room for another one.
  const insert = db.prepare(`
    INSERT INTO records (kind, id, payload, created_at) VALUES ('${kind}', :id, :payload, :now)
    ON CONFLICT (kind, id) DO NOTHING`);
  const running = new Map<string, Promise<Account | null>>();

  const stored = (id: string): Account | null | undefined => {
    const row = find.get({ id });
    if (row === undefined) return undefined;
    const { account } = JSON.parse(String(row['payload'])) as { account: string };
    return accounts.byId(account) ?? null;
  };
  const provision = async (id: string, identity: EnterpriseIdentity): Promise<Account | null> => {
    const account = await accounts.add({
      name: accountName(identity, id),
      // Nobody knows it: this account signs in through its identity provider alone.
      password: new Secret(randomToken()),
      role: 'user',
    });
    const { issuer, subject } = identity;
    const payload = JSON.stringify({ account: account.id, issuer, subject });
    insert.run({ id, payload, now: clock.now() });
    return stored(id) ?? null;
  };
  return {
    async accountOf(identity) {
      const id = sha256Hex(JSON.stringify([identity.issuer, identity.subject]));
      const known = stored(id);
      if (known !== undefined) return known;
      let pending = running.get(id);
      if (pending === undefined) {
        pending = provision(id, identity).finally(() => running.delete(id));
        running.set(id, pending);
      }
      return pending;
    },
  };
}

/** Ends in a digest of issuer and subject, so that no identity can take the name of another account. */
function accountName({ email, subject }: EnterpriseIdentity, id: string): string {
  const readable = (email ?? subject)
    .toLowerCase()
    .replace(/[^a-z0-9._@+-]/g, '')
    .replace(/^[^a-z0-9]+/, '');
  return `${readable.slice(0, 50) || 'enterprise'}-${id.slice(0, 10)}`;
}
