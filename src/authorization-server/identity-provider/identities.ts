import { type Clock, type Secret, sha256Hex, uuidv7 } from '../../base/index.ts';
import type { Db, Row } from '../../store/index.ts';
import { type Account, type AccountStore, endEverything } from '../accounts/index.ts';
import type { Audit } from '../events.ts';
import type { ExternalIdentity } from './claims.ts';
import type { Seal } from './seal.ts';

/** What is kept about somebody who signs in at a provider. */
export interface StoredIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly accountId: string;
  /** Null: the provider gave none, or what is stored cannot be opened any more. */
  readonly refreshToken: Secret | null;
  readonly signedInAt: number;
  readonly checkedAt: number;
}

/** Accounts of people who sign in at a provider, keyed by its issuer and their subject. */
export interface Identities {
  ofAccount(accountId: string): StoredIdentity | null;
  /**
   * Makes the account at the first sign-in; name, role and organization follow the provider at each. Null when an
   * administrator removed the account here.
   */
  signIn(issuer: string, identity: ExternalIdentity, refreshToken: Secret | null): Account | null;
  /** The provider has confirmed the account just now. */
  confirm(known: StoredIdentity, identity: ExternalIdentity | null, refreshToken: Secret): void;
  /** The provider has withdrawn it: sessions, grants and tokens end. The account stays, and so does its `sub`. */
  withdraw(known: StoredIdentity): void;
}

export interface IdentitiesOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly accounts: AccountStore;
  readonly seal: Seal;
  readonly audit: Audit;
}

export function createIdentities(options: IdentitiesOptions): Identities {
  const { db, clock, accounts, seal, audit } = options;
  const statements = prepare(db);
  const sealed = (token: Secret | null, issuer: string, subject: string) =>
    token === null ? null : seal.close(token, [issuer, subject]);
  return {
    ofAccount(accountId) {
      const row = statements.byAccount.get({ account_id: accountId });
      return row === undefined ? null : identityFrom(row, seal);
    },
    signIn(issuer, identity, refreshToken) {
      const { subject } = identity;
      return db.transaction(() => {
        const known = statements.bySubject.get({ issuer, subject });
        if (known?.['account_id'] === null) return null;
        const now = clock.now();
        const id = known === undefined ? uuidv7(now) : String(known['account_id']);
        const account = { id, ...accountColumns(issuer, identity) };
        const before = accounts.byId(id);
        if (known === undefined) statements.addAccount.run({ ...account, created_at: now });
        else statements.updateAccount.run(account);
        tellOfAccount(audit, { before, now: requireAccount(accounts, id), by: issuer });
        const refresh_token = sealed(refreshToken, issuer, subject);
        statements.upsert.run({ issuer, subject, account_id: id, refresh_token, now });
        return requireAccount(accounts, id);
      });
    },
    confirm({ issuer, subject, accountId }, identity, refreshToken) {
      db.transaction(() => {
        const refresh_token = sealed(refreshToken, issuer, subject);
        statements.confirm.run({ account_id: accountId, refresh_token, now: clock.now() });
        if (identity === null) return;
        const before = accounts.byId(accountId);
        statements.updateAccount.run({ id: accountId, ...accountColumns(issuer, identity) });
        tellOfAccount(audit, { before, now: requireAccount(accounts, accountId), by: issuer });
      });
    },
    withdraw({ accountId }) {
      db.transaction(() => {
        statements.forget.run({ account_id: accountId });
        endEverything(db, accountId, clock.now());
      });
    },
  };
}

/** What somebody may do here follows their provider: a change of it is on record. */
function tellOfAccount(
  audit: Audit,
  { before, now, by }: { before: Account | undefined; now: Account; by: string },
): void {
  const { id: subject, name, role, organization } = now;
  if (before === undefined) {
    audit('user.added', { subject, data: { name, role, organization, by } });
    return;
  }
  if (before.role === role && before.organization === organization && before.name === name) return;
  audit('user.changed', {
    subject,
    data: {
      ...{ name, role, organization, by },
      name_before: before.name,
      role_before: before.role,
      organization_before: before.organization,
    },
  });
}

function prepare(db: Db) {
  return {
    byAccount: db.prepare('SELECT * FROM external_identities WHERE account_id = :account_id'),
    bySubject: db.prepare('SELECT * FROM external_identities WHERE issuer = :issuer AND subject = :subject'),
    addAccount: db.prepare(`
      INSERT INTO accounts (id, name, role, organization, password_hash, created_at)
      VALUES (:id, :name, :role, :organization, '', :created_at)`),
    updateAccount: db.prepare(
      'UPDATE accounts SET name = :name, role = :role, organization = :organization WHERE id = :id',
    ),
    upsert: db.prepare(`
      INSERT INTO external_identities (issuer, subject, account_id, refresh_token, signed_in_at, checked_at)
      VALUES (:issuer, :subject, :account_id, :refresh_token, :now, :now)
      ON CONFLICT (issuer, subject) DO UPDATE SET refresh_token = excluded.refresh_token,
        signed_in_at = excluded.signed_in_at, checked_at = excluded.checked_at`),
    confirm: db.prepare(
      'UPDATE external_identities SET refresh_token = :refresh_token, checked_at = :now WHERE account_id = :account_id',
    ),
    // Nothing is confirmed any more until the next sign-in.
    forget: db.prepare(
      'UPDATE external_identities SET refresh_token = NULL, signed_in_at = 0, checked_at = 0 WHERE account_id = :account_id',
    ),
  };
}

function identityFrom(row: Row, seal: Seal): StoredIdentity {
  const [issuer, subject] = [String(row['issuer']), String(row['subject'])];
  const sealed = row['refresh_token'];
  return {
    issuer,
    subject,
    accountId: String(row['account_id']),
    refreshToken: typeof sealed === 'string' ? seal.open(sealed, [issuer, subject]) : null,
    signedInAt: Number(row['signed_in_at']),
    checkedAt: Number(row['checked_at']),
  };
}

/**
 * The name is for people, and unique: what the provider says and a mark of who said it. `~` is in no name that can be
 * chosen here, so that nobody at a provider can pass for a local account.
 */
function accountColumns(issuer: string, { subject, name, role, organization }: ExternalIdentity) {
  const readable = name.toLowerCase().replace(/[^a-z0-9._@+-]+/g, '-');
  const mark = sha256Hex(JSON.stringify([issuer, subject])).slice(0, 12);
  return { name: `${readable.replace(/^[^a-z0-9]+/, '').slice(0, 50)}~${mark}`, role, organization };
}

function requireAccount(accounts: AccountStore, id: string): Account {
  const account = accounts.byId(id);
  if (account === undefined) throw new Error('the account of an identity is gone');
  return account;
}
