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
  ],
};

/** Opens the store of the authorization server. The directory is made for its owner alone. */
export function openStore(dataDir: string): Db {
  makePrivateDirectory(dataDir);
  return openDb(join(dataDir, 'authorization.db'), migrations);
}
