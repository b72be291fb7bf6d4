import { type Clock, readJson, sha256Hex, uuidv7 } from '../../base/index.ts';
import type { Db } from '../../store/index.ts';
import { type Account, type AccountStore, defaultOrganization } from '../accounts/index.ts';
import type { Audit } from '../events.ts';

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
   * The account of the identity, the same as for somebody who signs in at that provider; made at its first use with the role
   * `user`. Null when an administrator removed it: who was put out does not come back by the next assertion.
   */
  accountOf(identity: EnterpriseIdentity): Account | null;
}

export interface EnterpriseAccountsParts {
  readonly db: Db;
  readonly accounts: AccountStore;
  readonly clock: Clock;
  readonly audit: Audit;
}

export function createEnterpriseAccounts({
  db,
  accounts,
  clock,
  audit,
}: EnterpriseAccountsParts): EnterpriseAccounts {
  const find = db.prepare(
    'SELECT account_id FROM external_identities WHERE issuer = :issuer AND subject = :subject',
  );
  const findOlder = db.prepare("SELECT payload FROM records WHERE kind = 'EnterpriseIdentity' AND id = :id");
  const addIdentity = db.prepare(`
    INSERT INTO external_identities (issuer, subject, account_id, refresh_token, signed_in_at, checked_at)
    VALUES (:issuer, :subject, :account_id, NULL, 0, 0)`);
  // No password: this account signs in through its identity provider alone.
  const addAccount = db.prepare(`
    INSERT INTO accounts (id, name, role, organization, password_hash, created_at)
    VALUES (:id, :name, 'user', :organization, '', :now)`);

  /** The account of a version that kept these apart; undefined where it had none. */
  const older = (digest: string): string | null | undefined => {
    const row = findOlder.get({ id: digest });
    if (row === undefined) return undefined;
    const { account } = readJson(String(row['payload'])) as { account: string };
    return accounts.byId(account)?.id ?? null;
  };
  const provision = (identity: EnterpriseIdentity, digest: string): string => {
    const now = clock.now();
    const id = uuidv7(now);
    const name = accountName(identity, digest);
    addAccount.run({ id, name, organization: defaultOrganization, now });
    audit('user.added', { subject: id, data: { name, role: 'user', by: identity.issuer } });
    return id;
  };
  return {
    accountOf(identity) {
      const { issuer, subject } = identity;
      return db.transaction(() => {
        const known = find.get({ issuer, subject });
        if (known)
          return known['account_id'] === null ? null : (accounts.byId(String(known['account_id'])) ?? null);
        const digest = sha256Hex(JSON.stringify([issuer, subject]));
        const before = older(digest);
        const account_id = before === undefined ? provision(identity, digest) : before;
        addIdentity.run({ issuer, subject, account_id });
        return account_id === null ? null : (accounts.byId(account_id) ?? null);
      });
    },
  };
}

/** Ends in a digest of issuer and subject, so that no identity can take the name of another account. */
function accountName({ email, subject }: EnterpriseIdentity, digest: string): string {
  const readable = (email ?? subject)
    .toLowerCase()
    .replace(/[^a-z0-9._@+-]/g, '')
    .replace(/^[^a-z0-9]+/, '');
  return `${readable.slice(0, 50) || 'enterprise'}-${digest.slice(0, 10)}`;
}
