import { type Clock, readJson, Secret } from '../../base/index.ts';
import type { Db } from '../../store/index.ts';
import type { Vault } from '../../upstream/index.ts';
import type { UpstreamTokens } from './provider.ts';

/** What a connection belongs to. All of it is bound into the ciphertext. */
export interface ConnectionOwner {
  readonly server: string;
  /** Provider, client and upstream: tokens of one are none of another after a change of the configuration. */
  readonly binding: readonly string[];
  /** Our issuer, whose account `subject` is. */
  readonly issuer: string;
  readonly subject: string;
}

export interface StoredConnection {
  readonly tokens: UpstreamTokens;
  /** Names what was read: changes are made to exactly that. */
  readonly version: string;
  readonly isOld: boolean;
}

export interface ConnectionStore {
  /** Null: none, or one that cannot be opened. */
  find(owner: ConnectionOwner): StoredConnection | null;
  /** Epoch ms of a person's connections by server, whether they can be opened or not. */
  list(subject: string): { server: string; connectedAt: number }[];
  save(owner: ConnectionOwner, tokens: UpstreamTokens): void;
  /** False if it has been changed or removed since. */
  replace(owner: ConnectionOwner, tokens: UpstreamTokens, version: string): boolean;
  /** @param version only this one. False if there was none. */
  remove(owner: Pick<ConnectionOwner, 'server' | 'subject'>, version?: string): boolean;
}

export function createConnectionStore({
  db,
  clock,
  vault,
}: {
  db: Db;
  clock: Clock;
  vault: Vault;
}): ConnectionStore {
  const key = 'server = :server AND account_id = :subject';
  const one = db.prepare(`SELECT sealed FROM upstream_connections WHERE ${key}`);
  const all = db.prepare(
    'SELECT server, connected_at FROM upstream_connections WHERE account_id = :subject ORDER BY server',
  );
  const put = db.prepare(`
    INSERT INTO upstream_connections (server, account_id, sealed, connected_at)
    VALUES (:server, :subject, :sealed, :now)
    ON CONFLICT (server, account_id) DO UPDATE SET sealed = :sealed, connected_at = :now`);
  const change = db.prepare(
    `UPDATE upstream_connections SET sealed = :sealed WHERE ${key} AND sealed = :version`,
  );
  const drop = db.prepare(
    `DELETE FROM upstream_connections WHERE ${key} AND (:version IS NULL OR sealed = :version)`,
  );
  const seal = (owner: ConnectionOwner, tokens: UpstreamTokens) => vault.close(written(tokens), rowOf(owner));
  return {
    find(owner) {
      const { server, subject } = owner;
      const sealed = one.get({ server, subject })?.['sealed'];
      const opened = typeof sealed === 'string' ? vault.open(sealed, rowOf(owner)) : null;
      if (typeof sealed !== 'string' || opened === null) return null;
      return { tokens: read(opened.secret), version: sealed, isOld: opened.isOld };
    },
    list: (subject) =>
      all
        .all({ subject })
        .map((row) => ({ server: String(row['server']), connectedAt: Number(row['connected_at']) })),
    save(owner, tokens) {
      const { server, subject } = owner;
      put.run({ server, subject, sealed: seal(owner, tokens), now: clock.now() });
    },
    replace(owner, tokens, version) {
      const { server, subject } = owner;
      return change.run({ server, subject, sealed: seal(owner, tokens), version }).changes === 1;
    },
    remove: ({ server, subject }, version) =>
      drop.run({ server, subject, version: version ?? null }).changes === 1,
  };
}

function rowOf({ server, binding, issuer, subject }: ConnectionOwner): string[] {
  return ['upstream connection', server, issuer, subject, ...binding];
}

function written({ access, refresh, expiresAt }: UpstreamTokens): Secret {
  return new Secret(JSON.stringify([access.reveal(), refresh?.reveal() ?? null, expiresAt]));
}

/** What was opened is what we wrote: nobody else has the key. */
function read(secret: Secret): UpstreamTokens {
  const [access, refresh, expiresAt] = readJson(secret.reveal()) as [string, string | null, number | null];
  return { access: new Secret(access), refresh: refresh === null ? null : new Secret(refresh), expiresAt };
}
