import { type Clock, OperationError, type Secret, uuidv7 } from '../../base/index.ts';
import type { Db, Row } from '../../store/index.ts';
import { revocationKeptMs, writeRevocation } from '../revocation.ts';
import { openStore } from '../stores/schema.ts';
import { createDenyList, type DenyList } from './deny-list.ts';
import { hashPassword, passwordFault } from './password.ts';

export type Role = 'admin' | 'user';

export interface Account {
  /** The `sub` of its tokens. Never given to another account, even of the same name. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** The `org` of its tokens. */
  readonly organization: string;
  readonly createdAt: number;
}

export const defaultOrganization = 'default';

export interface RemovedPerson {
  /** Null: removed by a version that did not keep it. */
  readonly name: string | null;
  readonly issuer: string;
  readonly subject: string;
}

/** The people who can sign in. Works on the store directly, whether a server runs on it or not. */
export interface Accounts {
  /** Throws OperationError for a name that is taken or unusable, or a password that is too weak. */
  add(account: { name: string; password: Secret; role: Role }): Promise<Account>;
  list(): Account[];
  /**
   * Ends the account's sessions, grants and tokens too. Throws OperationError if there is none, or it is the last admin.
   * @returns the account as it was
   */
  remove(name: string): Account;
  /** People of identity providers whose accounts were removed, and who are kept out. */
  removed(): RemovedPerson[];
  /**
   * Lets such a person in again, with an account that is new: nothing of the old one comes back. Throws OperationError if there is
   * nobody of this name.
   * @param name what the account was called, or the provider's subject
   */
  restore(name: string): RemovedPerson[];
  /** Ends what the account had open, its passkeys too: whoever knew the old password is out. */
  setPassword(name: string, password: Secret): Promise<void>;
  close(): void;
}

/** What the server itself needs besides. */
export interface AccountStore extends Omit<Accounts, 'close'> {
  byId(id: string): Account | undefined;
  /** Account and password hash of a name as typed. */
  credentials(name: string): { account: Account; passwordHash: string } | undefined;
  hasAdmin(): boolean;
  /** The file of passwords that nobody may choose, null for none. Throws OperationError if it cannot be read. */
  useDenyList(path: string | null): Promise<void>;
}

/** Opens the accounts of a data directory for administration. Close it afterwards. */
export function openAccounts(dataDir: string, clock: Clock): Accounts {
  const db = openStore(dataDir);
  return { ...createAccountStore(db, clock), close: () => db.close() };
}

export function createAccountStore(db: Db, clock: Clock): AccountStore {
  const byName = db.prepare('SELECT * FROM accounts WHERE name = :name');
  const byId = db.prepare('SELECT * FROM accounts WHERE id = :id');
  const all = db.prepare('SELECT * FROM accounts ORDER BY name');
  const admins = db.prepare("SELECT count(*) AS count FROM accounts WHERE role = 'admin'");
  const denyList = createDenyList(db);
  const countAdmins = () => Number(admins.get()?.['count']);

  return {
    async add({ name, password, role }) {
      const account = {
        id: uuidv7(clock.now()),
        name: normalName(name),
        role,
        organization: defaultOrganization,
        createdAt: clock.now(),
      };
      const passwordHash = await hashNewPassword(password, account.name, denyList);
      insert(db, account, passwordHash);
      return account;
    },
    list: () => all.all().map(accountOf),
    remove(name) {
      return db.transaction(() => {
        const account = requireAccount(byName.get({ name: name.toLowerCase() }), name);
        if (account.role === 'admin' && countAdmins() === 1) {
          throw new OperationError(`${account.name} is the last administrator`, {
            hint: 'add another first: portcullis users add <name> --role admin',
          });
        }
        const keepName = 'UPDATE external_identities SET removed_name = :name WHERE account_id = :id';
        db.prepare(keepName).run({ id: account.id, name: account.name });
        db.prepare('DELETE FROM accounts WHERE id = :id').run({ id: account.id });
        endEverything(db, account.id, clock.now());
        return account;
      });
    },
    removed: () => removedPeople(db),
    restore: (name) => db.transaction(() => restore(db, name)),
    async setPassword(name, password) {
      const account = requireAccount(byName.get({ name: normalName(name) }), name);
      const hash = await hashNewPassword(password, account.name, denyList);
      db.transaction(() => {
        db.prepare('UPDATE accounts SET password_hash = :hash WHERE id = :id').run({ hash, id: account.id });
        db.prepare('DELETE FROM passkeys WHERE account_id = :id').run({ id: account.id });
        endEverything(db, account.id, clock.now());
      });
    },
    byId: (id) => optionalAccount(byId.get({ id })),
    credentials(name) {
      const row = isName(name) ? byName.get({ name: name.toLowerCase() }) : undefined;
      const passwordHash = String(row?.['password_hash'] ?? '');
      return row && passwordHash !== '' ? { account: accountOf(row), passwordHash } : undefined;
    },
    hasAdmin: () => countAdmins() > 0,
    useDenyList: (path) => denyList.use(path),
  };
}

function removedPeople(db: Db): RemovedPerson[] {
  const rows = db
    .prepare('SELECT * FROM external_identities WHERE account_id IS NULL ORDER BY removed_name')
    .all();
  return rows.map((row) => ({
    name: row['removed_name'] === null ? null : String(row['removed_name']),
    issuer: String(row['issuer']),
    subject: String(row['subject']),
  }));
}

function restore(db: Db, name: string): RemovedPerson[] {
  const found = removedPeople(db).filter((one) => one.name === name.toLowerCase() || one.subject === name);
  if (found.length === 0) {
    throw new OperationError(`nobody named ${name} was removed who signs in at an identity provider`, {
      hint: 'portcullis users list --removed; for somebody with a password: portcullis users add',
    });
  }
  const forget = db.prepare(
    'DELETE FROM external_identities WHERE issuer = :issuer AND subject = :subject AND account_id IS NULL',
  );
  for (const { issuer, subject } of found) forget.run({ issuer, subject });
  return found;
}

function insert(db: Db, account: Account, passwordHash: string): void {
  const { changes } = db
    .prepare(`
      INSERT INTO accounts (id, name, role, password_hash, created_at)
      VALUES (:id, :name, :role, :hash, :created_at) ON CONFLICT (name) DO NOTHING`)
    .run({
      id: account.id,
      name: account.name,
      role: account.role,
      hash: passwordHash,
      created_at: account.createdAt,
    });
  if (changes === 0) throw new OperationError(`there is an account named ${account.name} already`);
}

/** Ends sessions, grants and tokens. By grant and not by subject: what the account is given next is not revoked with what it had. */
export function endEverything(db: Db, accountId: string, now: number): void {
  const expiresAt = now + revocationKeptMs;
  const grants = db
    .prepare("SELECT id FROM records WHERE kind = 'Grant' AND account_id = :id")
    .all({ id: accountId });
  for (const grant of grants) {
    writeRevocation(db, { kind: 'grant', id: String(grant['id']), now, expiresAt });
  }
  db.prepare('DELETE FROM records WHERE account_id = :id').run({ id: accountId });
}

async function hashNewPassword(password: Secret, name: string, denyList: DenyList): Promise<string> {
  const fault = passwordFault(password.reveal(), name);
  if (fault !== null) throw new OperationError(fault);
  if (await denyList.has(password.reveal())) {
    throw new OperationError('The password is on the list of known passwords.', {
      hint: 'choose another one',
    });
  }
  return hashPassword(password.reveal());
}

/** ASCII, so that no two names look alike; without case, so that no two differ by it. */
function isName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._@+-]{0,63}$/i.test(name);
}

function normalName(name: string): string {
  if (isName(name)) return name.toLowerCase();
  throw new OperationError('the account name is not usable', {
    hint: 'use 1 to 64 of the letters a-z, digits and . _ @ + -, starting with a letter or digit',
  });
}

function requireAccount(row: Row | undefined, name: string): Account {
  if (row !== undefined) return accountOf(row);
  throw new OperationError(`there is no account named ${name}`, { hint: 'see portcullis users list' });
}

function optionalAccount(row: Row | undefined): Account | undefined {
  return row && accountOf(row);
}

function accountOf(row: Row): Account {
  return {
    id: String(row['id']),
    name: String(row['name']),
    role: row['role'] === 'admin' ? 'admin' : 'user',
    organization: String(row['organization']),
    createdAt: Number(row['created_at']),
  };
}
