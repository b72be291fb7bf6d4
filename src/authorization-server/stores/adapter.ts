import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { type Clock, readJson } from '../../base/index.ts';
import type { Db, Row } from '../../store/index.ts';
import { refreshGraceSeconds } from '../options.ts';
import { type Concealment, createConcealment } from './concealment.ts';
import { createPendingBound } from './pending.ts';

/** Beyond this many repeats within the grace time it is no client's concurrency any more. */
const graceReuses = 10;

/** Whose a record is. */
interface Owner {
  readonly clientId: string | null;
  readonly accountId: string | null;
}

interface OwnedUse extends Owner {
  readonly grantId: string | null;
}

export interface RecordStoreEvents {
  /** A grant is gone, for whatever reason: access tokens made from it end too. Its owner is null where nothing of it was left. */
  readonly grantEnded: (grant: Owner & { readonly grantId: string }) => void;
  readonly refreshReused: (use: OwnedUse & { readonly accepted: boolean }) => void;
  /** A code came that was redeemed before: somebody may have a copy (RFC 9700 section 4.5). */
  readonly codeReused: (use: OwnedUse) => void;
}

export interface RecordStoreOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly events: RecordStoreEvents;
}

/** oidc-provider's storage in SQL. One adapter a kind of record; consuming is one conditional UPDATE. */
export function createAdapterFactory(options: RecordStoreOptions): (kind: string) => Adapter {
  const store: Store = {
    ...options,
    statements: prepare(options),
    concealment: createConcealment(),
    boundPending: createPendingBound(options.db),
  };
  return (kind) => createAdapter(kind, store);
}

interface Store extends RecordStoreOptions {
  readonly statements: Statements;
  readonly concealment: Concealment;
  readonly boundPending: (kind: string) => void;
}

type Statements = ReturnType<typeof prepare>;

function prepare({ db }: RecordStoreOptions) {
  return {
    upsert: db.prepare(`
      INSERT INTO records (kind, id, payload, grant_id, uid, account_id, client_id, created_at, expires_at)
      VALUES (:kind, :id, :payload, :grant_id, :uid, :account_id, :client_id, :now, :expires_at)
      ON CONFLICT (kind, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id,
        uid = excluded.uid, account_id = excluded.account_id, client_id = excluded.client_id,
        expires_at = excluded.expires_at`),
    insertOnce: db.prepare(`
      INSERT INTO records (kind, id, payload, grant_id, uid, account_id, client_id, created_at, expires_at)
      VALUES (:kind, :id, :payload, :grant_id, :uid, :account_id, :client_id, :now, :expires_at)
      ON CONFLICT (kind, id) DO UPDATE SET created_at = excluded.created_at, expires_at = excluded.expires_at
        WHERE records.expires_at <= :now`),
    touchClient: db.prepare("UPDATE records SET used_at = :now WHERE kind = 'Client' AND id = :id"),
    find: db.prepare('SELECT * FROM records WHERE kind = :kind AND id = :id'),
    findByUid: db.prepare('SELECT * FROM records WHERE kind = :kind AND uid = :uid'),
    consume: db.prepare(
      'UPDATE records SET consumed_at = :now WHERE kind = :kind AND id = :id AND consumed_at IS NULL',
    ),
    endGrace: db.prepare(`
      UPDATE records SET reuses = ${graceReuses} WHERE kind = 'RefreshToken' AND grant_id = :grant_id
        AND consumed_at IS NOT NULL AND coalesce(payload ->> '$.rotations', 0) < :rotations`),
    countReuse: db.prepare('UPDATE records SET reuses = reuses + 1 WHERE kind = :kind AND id = :id'),
    destroy: db.prepare('DELETE FROM records WHERE kind = :kind AND id = :id'),
    ofGrant: db.prepare(
      'SELECT * FROM records WHERE grant_id = :grant_id ORDER BY account_id IS NULL LIMIT 1',
    ),
    destroyGrant: db.prepare('DELETE FROM records WHERE grant_id = :grant_id'),
  };
}

function createAdapter(kind: string, store: Store): Adapter {
  const { statements, concealment, clock, events } = store;
  const key = (id: string) => concealment.key(kind, id);
  const destroy = (id: string) => {
    const grant = kind === 'Grant' ? statements.find.get({ kind, id: key(id) }) : undefined;
    statements.destroy.run({ kind, id: key(id) });
    if (kind === 'Grant') events.grantEnded({ grantId: id, ...owner(grant) });
  };
  return {
    async upsert(id, payload, expiresIn) {
      const stored = concealment.conceal(kind, id, payload);
      const row = rowOf(kind, key(id), { payload: stored, expiresIn, now: clock.now() });
      if (kind === 'ReplayDetection') return once(statements.insertOnce.run(row).changes);
      statements.upsert.run(row);
      store.boundPending(kind);
      if (kind === 'Client') statements.touchClient.run({ id, now: clock.now() });
      if (kind === 'Grant' && payload.clientId) {
        statements.touchClient.run({ id: payload.clientId, now: clock.now() });
      }
    },
    async find(id) {
      const row = statements.find.get({ kind, id: key(id) });
      if (kind === 'AuthorizationCode' && row && row['consumed_at'] !== null) events.codeReused(useOf(row));
      return row && payloadOf(row, id, { concealment, now: clock.now() });
    },
    async findByUid(uid) {
      const row = statements.findByUid.get({ kind, uid });
      const id = concealment.handle(kind, String(row?.['id']));
      return row && payloadOf(row, id, { concealment, now: clock.now() });
    },
    // The device flow is off: there are no user codes.
    async findByUserCode() {},
    async consume(id) {
      const parameters = { kind, id: key(id) };
      const isFirst = statements.consume.run({ ...parameters, now: clock.now() }).changes === 1;
      const row = statements.find.get(parameters);
      if (isFirst) {
        if (row && kind === 'RefreshToken') endGrace(row, statements);
        return;
      }
      statements.countReuse.run(parameters);
      if (row && isWithinGrace(row, clock.now()))
        return events.refreshReused({ ...useOf(row), accepted: true });
      // Two requests raced for one code, or for one refresh token beyond the grace: RFC 9700 section 4.14.2.
      if (row && kind === 'AuthorizationCode') events.codeReused(useOf(row));
      if (row?.['grant_id']) endGrant(String(row['grant_id']), statements, events);
      throw new errors.InvalidGrant('already used');
    },
    async destroy(id) {
      const row = kind === 'RefreshToken' ? statements.find.get({ kind, id: key(id) }) : undefined;
      destroy(id);
      const reused = row !== undefined && row['consumed_at'] !== null;
      if (reused) events.refreshReused({ ...useOf(row), accepted: false });
    },
    async revokeByGrantId(grantId) {
      endGrant(grantId, statements, events);
    },
  };
}

/** Whoever has used the successor has no use for what came before: from there on it is somebody else who does. */
function endGrace(row: Row, statements: Statements): void {
  const { rotations } = readJson(String(row['payload'])) as AdapterPayload;
  if (row['grant_id'] === null || typeof rotations !== 'number') return;
  statements.endGrace.run({ grant_id: row['grant_id'] ?? null, rotations });
}

function endGrant(grantId: string, statements: Statements, events: RecordStoreEvents): void {
  const of = statements.ofGrant.get({ grant_id: grantId });
  statements.destroyGrant.run({ grant_id: grantId });
  events.grantEnded({ grantId, ...owner(of) });
}

function rowOf(
  kind: string,
  id: string,
  record: { payload: AdapterPayload; expiresIn: number | undefined; now: number },
) {
  const { payload, expiresIn, now } = record;
  return {
    kind,
    id,
    payload: JSON.stringify(payload),
    // A Grant's own row goes with the grant.
    grant_id: kind === 'Grant' ? id : (payload.grantId ?? null),
    uid: payload.uid ?? null,
    account_id: payload.accountId ?? null,
    client_id: kind === 'Client' ? id : (payload.clientId ?? null),
    now,
    expires_at: expiresIn === undefined ? null : now + expiresIn * 1000,
  };
}

/** Of two that present one proof or assertion at the same time, the store lets one pass: oidc-provider only looks. */
function once(changes: number): void {
  if (changes === 0) throw new errors.InvalidGrant('already used');
}

function payloadOf(
  row: Row,
  id: string,
  { concealment, now }: { concealment: Concealment; now: number },
): AdapterPayload | undefined {
  if (row['expires_at'] !== null && Number(row['expires_at']) <= now) return undefined;
  const stored = readJson(String(row['payload'])) as AdapterPayload;
  const payload = concealment.reveal(String(row['kind']), id, stored);
  if (row['consumed_at'] !== null && !isWithinGrace(row, now)) {
    payload.consumed = Math.floor(Number(row['consumed_at']) / 1000);
  }
  return payload;
}

/**
 * Clients refresh concurrently, and the loser must not cost the winner its grant: a repeat within the grace time counts
 * as the same use, until one that came of it is used. Not for tokens bound to a key (RFC 9449), whose holders have no such excuse.
 */
function isWithinGrace(row: Row, now: number): boolean {
  if (row['kind'] !== 'RefreshToken' || row['consumed_at'] === null) return false;
  const bound = (readJson(String(row['payload'])) as AdapterPayload).jkt !== undefined;
  const age = now - Number(row['consumed_at']);
  return !bound && age >= 0 && age <= refreshGraceSeconds * 1000 && Number(row['reuses']) < graceReuses;
}

function owner(row: Row | undefined): Owner {
  const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
  return { clientId: text(row?.['client_id']), accountId: text(row?.['account_id']) };
}

function useOf(row: Row): OwnedUse {
  return { ...owner(row), grantId: row['grant_id'] === null ? null : String(row['grant_id']) };
}
