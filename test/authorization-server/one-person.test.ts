import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createAccountStore } from '../../src/authorization-server/accounts/index.ts';
import type { Audit } from '../../src/authorization-server/events.ts';
import { createEnterpriseAccounts } from '../../src/authorization-server/grants/index.ts';
import { createIdentities } from '../../src/authorization-server/identity-provider/index.ts';
import { createSeal } from '../../src/authorization-server/identity-provider/seal.ts';
import { openStore } from '../../src/authorization-server/stores/schema.ts';
import { systemClock as clock, OperationError, sha256Hex } from '../../src/base/index.ts';
import { run } from '../cli/support/run.ts';

const issuer = 'https://login.example';
const alice = { subject: 'a-1', name: 'alice', role: 'user', organization: 'acme' } as const;
const vouched = { issuer, subject: alice.subject, email: 'alice@example.com' };

function store(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'portcullis-person-'));
  const db = openStore(dir);
  t.after(() => {
    db.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const accounts = createAccountStore(db, clock);
  const events: Record<string, unknown>[] = [];
  const audit: Audit = (event, fields) => events.push({ event, ...fields });
  const identities = createIdentities({ db, clock, accounts, seal: createSeal(Buffer.alloc(32, 1)), audit });
  return {
    dir,
    db,
    accounts,
    identities,
    enterprise: createEnterpriseAccounts({ db, accounts, clock, audit }),
    events,
  };
}

describe('one person by two ways', () => {
  it('is one account, whichever way comes first', (t) => {
    const { identities, enterprise, accounts } = store(t);
    const first = enterprise.accountOf(vouched);
    assert.equal(identities.signIn(issuer, alice, null)?.id, first?.id);
    assert.equal(enterprise.accountOf(vouched)?.id, first?.id);
    const bob = identities.signIn(issuer, { ...alice, subject: 'b-2' }, null);
    assert.equal(enterprise.accountOf({ ...vouched, subject: 'b-2' })?.id, bob?.id);
    assert.equal(accounts.list().length, 2);
  });

  it('is on record when they come for the first time, and when their provider says something else of them', (t) => {
    const { identities, enterprise, events } = store(t);
    const { id, name = '' } = identities.signIn(issuer, alice, null) ?? {};
    identities.signIn(issuer, alice, null);
    enterprise.accountOf(vouched);
    const organization = 'acme';
    const added = { name, role: 'user', organization, by: issuer };
    assert.deepEqual(events, [{ event: 'user.added', subject: id, data: added }]);
    identities.signIn(issuer, { ...alice, role: 'admin' }, null);
    const before = { name_before: name, role_before: 'user', organization_before: organization };
    const changed = { ...added, role: 'admin', ...before };
    assert.deepEqual(events.slice(1), [{ event: 'user.changed', subject: id, data: changed }]);
    const other = enterprise.accountOf({ ...vouched, subject: 'c-3' });
    assert.equal(events.at(-1)?.['event'], 'user.added');
    assert.equal(events.at(-1)?.['subject'], other?.id);
  });

  it('is nobody else: the same subject of another issuer is not', (t) => {
    const { identities, enterprise } = store(t);
    const own = identities.signIn(issuer, alice, null);
    assert.notEqual(enterprise.accountOf({ ...vouched, issuer: 'https://other.example' })?.id, own?.id);
  });

  it('takes over the account of a version that kept them apart', async (t) => {
    const { db, accounts, enterprise, identities } = store(t);
    const before = enterprise.accountOf({ ...vouched, subject: 'older' });
    db.exec("DELETE FROM external_identities WHERE subject = 'older'");
    const put = db.prepare(
      "INSERT INTO records (kind, id, payload, created_at) VALUES ('EnterpriseIdentity', :id, :payload, 0)",
    );
    const id = sha256Hex(JSON.stringify([issuer, 'older']));
    put.run({ id, payload: JSON.stringify({ account: before?.id }) });
    assert.equal(enterprise.accountOf({ ...vouched, subject: 'older' })?.id, before?.id);
    accounts.remove(before?.name ?? '');
    assert.equal(
      identities.signIn(issuer, { ...alice, subject: 'older' }, null),
      null,
      'removed by one way, out by both',
    );
  });

  it('who was removed stays out by both ways until restored, and is then somebody new', async (t) => {
    const { dir, accounts, identities, enterprise } = store(t);
    const old = identities.signIn(issuer, alice, null);
    accounts.remove(old?.name ?? '');
    assert.equal(identities.signIn(issuer, alice, null), null);
    assert.equal(enterprise.accountOf(vouched), null);
    assert.throws(() => accounts.restore('somebody'), OperationError);
    assert.deepEqual(accounts.removed(), [{ name: old?.name, issuer, subject: 'a-1' }]);
    const { code, stdout } = await run(['users', 'restore', old?.name ?? '', '--data', dir, '--json'], {
      cwd: dir,
    });
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).restored[0].subject, 'a-1');
    const now = enterprise.accountOf(vouched);
    assert.notEqual(now?.id, old?.id, 'an old token or connection would be good again');
    assert.equal(identities.signIn(issuer, alice, null)?.id, now?.id);
    assert.throws(() => accounts.restore(old?.name ?? ''), OperationError);
  });
});
