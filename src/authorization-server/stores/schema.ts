import { join } from 'node:path';
import { type Db, type Migrations, makePrivateDirectory, openDb } from '../../store/index.ts';

const migrations: Migrations = {
  name: 'authorization',
  steps: [
    `
    CREATE TABLE accounts (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
      password_hash TEXT NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT;

    -- What oidc-provider keeps: clients, grants, codes, refresh tokens, sessions, interactions.
    CREATE TABLE records (
      kind TEXT NOT NULL,
      id TEXT NOT NULL,
      payload TEXT NOT NULL,
      grant_id TEXT,
      uid TEXT,
      account_id TEXT,
      client_id TEXT,
      created_at INTEGER NOT NULL,
      used_at INTEGER,
      consumed_at INTEGER,
      reuses INTEGER NOT NULL DEFAULT 0,
      expires_at INTEGER,
      PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX records_grant ON records (grant_id) WHERE grant_id IS NOT NULL;
    CREATE INDEX records_uid ON records (kind, uid) WHERE uid IS NOT NULL;
    CREATE INDEX records_account ON records (account_id) WHERE account_id IS NOT NULL;
    CREATE INDEX records_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
    CREATE INDEX records_created ON records (kind, created_at);
    CREATE INDEX records_client ON records (client_id) WHERE client_id IS NOT NULL;

    -- Access tokens that ended early. The number orders them, so that other processes' entries are found cheaply.
    CREATE TABLE revocations (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      kind TEXT NOT NULL CHECK (kind IN ('jti', 'grant', 'client', 'subject')),
      id TEXT NOT NULL,
      revoked_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX revocations_expiry ON revocations (expires_at);

    CREATE TABLE setup (
      only INTEGER PRIMARY KEY CHECK (only = 1),
      token_hash TEXT NOT NULL
    ) STRICT;
    `,
    `
    ALTER TABLE accounts ADD COLUMN organization TEXT NOT NULL DEFAULT 'default';

    -- Accounts of people who sign in at an identity provider; they have no password. Keyed by its subject, never by
    -- e-mail. The row outlives the account: who was removed here does not come back by signing in there.
    CREATE TABLE external_identities (
      issuer TEXT NOT NULL,
      subject TEXT NOT NULL,
      account_id TEXT UNIQUE REFERENCES accounts (id) ON DELETE SET NULL,
      refresh_token TEXT,
      signed_in_at INTEGER NOT NULL,
      checked_at INTEGER NOT NULL,
      PRIMARY KEY (issuer, subject)
    ) STRICT;

    CREATE TABLE passkeys (
      credential_id TEXT PRIMARY KEY,
      account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
      label TEXT NOT NULL,
      public_key BLOB NOT NULL,
      counter INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      used_at INTEGER
    ) STRICT;
    CREATE INDEX passkeys_account ON passkeys (account_id);

    -- Tickets (the state of a sign-in at a provider, challenges of passkeys) that have been used, until they expire.
    CREATE TABLE used_tickets (
      id TEXT PRIMARY KEY,
      expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE sign_in_failures (
      kind TEXT NOT NULL,
      key TEXT NOT NULL,
      started_at INTEGER NOT NULL,
      failures INTEGER NOT NULL,
      PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID;

    -- What the command line must know of the server's configuration.
    CREATE TABLE settings (
      name TEXT PRIMARY KEY,
      value TEXT NOT NULL
    ) STRICT;
    `,
    `
    -- Credentials of people at upstreams, encrypted with keys that are not in this directory.
    CREATE TABLE upstream_connections (
      server TEXT NOT NULL,
      account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
      sealed TEXT NOT NULL,
      connected_at INTEGER NOT NULL,
      PRIMARY KEY (server, account_id)
    ) STRICT;
    CREATE INDEX upstream_connections_account ON upstream_connections (account_id);
    `,
    `
    -- Whose tokens: null is this authorization server, '*' every other issuer, else one issuer.
    ALTER TABLE revocations ADD COLUMN issuer TEXT;
    `,
    `
    -- What the account was called that an administrator removed: by it the person can be let in again.
    ALTER TABLE external_identities ADD COLUMN removed_name TEXT;
    `,
  ],
};

/** Opens the store of the authorization server. The directory is made for its owner alone. */
export function openStore(dataDir: string): Db {
  makePrivateDirectory(dataDir);
  return openDb(join(dataDir, 'authorization.db'), migrations);
}
