import type { Db, Row } from '../../store/index.ts';

export interface StoredPasskey {
  /** base64url, as browsers write it. */
  readonly credentialId: string;
  readonly accountId: string;
  /** Person-given. */
  readonly label: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly counter: number;
  readonly createdAt: number;
  readonly usedAt: number | null;
}

export interface PasskeyStore {
  find(credentialId: string): StoredPasskey | undefined;
  ofAccount(accountId: string): StoredPasskey[];
  /** False if there is such a credential already, whoever has it. */
  add(passkey: StoredPasskey): boolean;
  /** False if another use has counted further in the meantime. */
  used(credentialId: string, use: { readonly counter: number; readonly now: number }): boolean;
  /** Only of its own account. */
  remove(accountId: string, credentialId: string): boolean;
}

export function createPasskeyStore(db: Db): PasskeyStore {
  const find = db.prepare('SELECT * FROM passkeys WHERE credential_id = :id');
  const ofAccount = db.prepare('SELECT * FROM passkeys WHERE account_id = :account_id ORDER BY created_at');
  const add = db.prepare(`
    INSERT INTO passkeys (credential_id, account_id, label, public_key, counter, created_at)
    VALUES (:credential_id, :account_id, :label, :public_key, :counter, :created_at)
    ON CONFLICT (credential_id) DO NOTHING`);
  // Authenticators that do not count always say 0 (WebAuthn section 6.1.1).
  const used = db.prepare(`
    UPDATE passkeys SET counter = :counter, used_at = :now
    WHERE credential_id = :id AND (counter < :counter OR (counter = 0 AND :counter = 0))`);
  const remove = db.prepare('DELETE FROM passkeys WHERE credential_id = :id AND account_id = :account_id');
  return {
    find(credentialId) {
      const row = find.get({ id: credentialId });
      return row && passkeyFrom(row);
    },
    ofAccount: (accountId) => ofAccount.all({ account_id: accountId }).map(passkeyFrom),
    add(passkey) {
      const { credentialId, accountId, label, publicKey, counter, createdAt } = passkey;
      const row = { credential_id: credentialId, account_id: accountId, public_key: publicKey };
      return add.run({ ...row, label, counter, created_at: createdAt }).changes === 1;
    },
    used: (credentialId, { counter, now }) => used.run({ id: credentialId, counter, now }).changes === 1,
    remove: (accountId, credentialId) =>
      remove.run({ id: credentialId, account_id: accountId }).changes === 1,
  };
}

function passkeyFrom(row: Row): StoredPasskey {
  return {
    credentialId: String(row['credential_id']),
    accountId: String(row['account_id']),
    label: String(row['label']),
    publicKey: new Uint8Array(row['public_key'] as Uint8Array),
    counter: Number(row['counter']),
    createdAt: Number(row['created_at']),
    usedAt: row['used_at'] === null ? null : Number(row['used_at']),
  };
}
