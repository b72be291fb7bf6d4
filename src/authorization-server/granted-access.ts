import { type Clock, readJson } from '../base/index.ts';
import type { Db, Row } from '../store/index.ts';
import { otherIssuers, type RevocationKind, revocationKeptMs, writeRevocation } from './revocation.ts';

/** No access token lives longer, whatever the configuration says (60 minutes, and differences between clocks). */
const longestTokenMs = 2 * 3_600_000;

/** What one person allowed one client at one time. */
export interface GrantedAccess {
  readonly id: string;
  readonly clientId: string;
  /** As the client registered it: its own claim. Null for clients that are described elsewhere, or gone. */
  readonly clientName: string | null;
  readonly accountId: string;
  /** Null when the account is gone. */
  readonly accountName: string | null;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly resources: readonly { readonly resource: string; readonly scopes: readonly string[] }[];
}

/** What stands for something to revoke, as the operator types it. */
export interface GrantStore {
  /** Newest first. */
  list(filter?: { readonly accountId?: string; readonly clientId?: string }): GrantedAccess[];
  find(id: string): GrantedAccess | undefined;
  /** Ends one grant with its codes, refresh tokens and access tokens. False if there is none. */
  end(id: string): boolean;
  /** Ends all that a client was given, and its registration. @returns how many grants, and whether it was registered */
  endClient(clientId: string): { grants: number; registered: boolean };
  /** Ends all that a person allowed, and the person's sessions. @returns how many grants */
  endAccount(accountId: string): number;
  /** Ends one access token, of whichever issuer. */
  endToken(jti: string): void;
  /** Ends tokens of another issuer, or of every other one (null): of a client or subject those that are out. */
  endElsewhere(kind: 'jti' | 'client' | 'subject', id: string, issuer: string | null): void;
}

/** Works on the store directly, whether a server runs on it or not; each change is one transaction. */
export function createGrantStore(db: Db, clock: Clock): GrantStore {
  const select = `
    SELECT g.id, g.client_id, g.account_id, g.created_at, g.payload,
      json_extract(c.payload, '$.client_name') AS client_name, a.name AS account_name
    FROM records AS g
      LEFT JOIN records AS c ON c.kind = 'Client' AND c.id = g.client_id
      LEFT JOIN accounts AS a ON a.id = g.account_id
    WHERE g.kind = 'Grant' AND (g.expires_at IS NULL OR g.expires_at > :now)`;
  const all = db.prepare(`${select}
    AND (:account IS NULL OR g.account_id = :account) AND (:client IS NULL OR g.client_id = :client)
    ORDER BY g.created_at DESC, g.id`);
  const one = db.prepare(`${select} AND g.id = :id`);
  const deleteGrant = db.prepare('DELETE FROM records WHERE grant_id = :id');
  const revoke = (kind: RevocationKind, id: string, keptMs: number) =>
    writeRevocation(db, { kind, id, now: clock.now(), expiresAt: clock.now() + keptMs });
  const endElsewhere: GrantStore['endElsewhere'] = (kind, id, issuer) =>
    writeRevocation(db, {
      ...{ kind, id, issuer: issuer ?? otherIssuers },
      now: clock.now(),
      expiresAt: clock.now() + revocationKeptMs,
    });
  const list: GrantStore['list'] = ({ accountId = null, clientId = null } = {}) =>
    all.all({ now: clock.now(), account: accountId, client: clientId }).map(grantOf);
  const endOne = (id: string) => {
    deleteGrant.run({ id });
    revoke('grant', id, revocationKeptMs);
  };

  return {
    list,
    find(id) {
      const row = one.get({ id, now: clock.now() });
      return row && grantOf(row);
    },
    end: (id) =>
      db.transaction(() => {
        if (one.get({ id, now: clock.now() }) === undefined) return false;
        endOne(id);
        return true;
      }),
    endClient: (clientId) =>
      db.transaction(() => {
        const grants = list({ clientId });
        for (const { id } of grants) endOne(id);
        const { changes } = db
          .prepare("DELETE FROM records WHERE kind = 'Client' AND id = :id")
          .run({ id: clientId });
        db.prepare("DELETE FROM records WHERE client_id = :id AND kind <> 'Client'").run({ id: clientId });
        // For tokens that come from no grant.
        revoke('client', clientId, longestTokenMs);
        endElsewhere('client', clientId, null);
        return { grants: grants.length, registered: changes > 0 };
      }),
    endAccount: (accountId) =>
      db.transaction(() => {
        const grants = list({ accountId });
        for (const { id } of grants) endOne(id);
        db.prepare('DELETE FROM records WHERE account_id = :id').run({ id: accountId });
        revoke('subject', accountId, longestTokenMs);
        return grants.length;
      }),
    endToken(jti) {
      revoke('jti', jti, longestTokenMs);
      endElsewhere('jti', jti, null);
    },
    endElsewhere,
  };
}

function grantOf(row: Row): GrantedAccess {
  const { resources } = readJson(String(row['payload'])) as { resources?: Record<string, string> };
  return {
    id: String(row['id']),
    clientId: String(row['client_id']),
    clientName: row['client_name'] === null ? null : String(row['client_name']),
    accountId: String(row['account_id']),
    accountName: row['account_name'] === null ? null : String(row['account_name']),
    createdAt: Number(row['created_at']),
    resources: Object.entries(resources ?? {}).map(([resource, scopes]) => ({
      resource,
      scopes: scopes.split(' '),
    })),
  };
}
