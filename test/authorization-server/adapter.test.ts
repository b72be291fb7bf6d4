import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { errors } from 'oidc-provider';
import { createAdapterFactory } from '../../src/authorization-server/stores/adapter.ts';
import { openStore } from '../../src/authorization-server/stores/schema.ts';
import type { Db } from '../../src/store/index.ts';
import { movableClock } from './support.ts';

const payload = { grantId: 'grant', clientId: 'client', accountId: 'account' };

describe('record store', () => {
  let dataDir: string;
  let stores: Db[];
  let ended: string[];
  let reused: boolean[];
  const clock = movableClock();
  /** An adapter on a connection of its own, as another process would have. */
  const open = (kind: string) => {
    const db = openStore(dataDir);
    stores.push(db);
    const events = {
      grantEnded: ({ grantId }: { grantId: string }) => ended.push(grantId),
      codeReused: () => {},
      refreshReused: ({ accepted }: { accepted: boolean }) => reused.push(accepted),
    };
    return createAdapterFactory({ db, clock, events })(kind);
  };
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'portcullis-records-'));
    stores = [];
    ended = [];
    reused = [];
  });
  afterEach(() => {
    for (const db of stores) db.close();
    rmSync(dataDir, { recursive: true });
  });

  it('lets one of two that found the same code consume it, and ends the grant (RFC 9700 section 4.5)', async () => {
    const [one, two] = [open('AuthorizationCode'), open('AuthorizationCode')];
    await one.upsert('code', payload, 60);
    assert.equal((await one.find('code'))?.consumed, undefined);
    assert.equal((await two.find('code'))?.consumed, undefined);
    await one.consume('code');
    await assert.rejects(two.consume('code'), errors.InvalidGrant);
    assert.deepEqual(ended, ['grant']);
    assert.equal(await one.find('code'), undefined);
  });

  it('forgives a refresh token consumed twice within the grace time, unless it is bound to a key', async () => {
    const tokens = open('RefreshToken');
    await tokens.upsert('free', payload, 60);
    await tokens.consume('free');
    await tokens.consume('free');
    assert.deepEqual([reused, ended], [[true], []]);
    await tokens.upsert('bound', { ...payload, jkt: 'thumbprint' }, 60);
    await tokens.consume('bound');
    assert.ok((await tokens.find('bound'))?.consumed);
    await assert.rejects(tokens.consume('bound'), errors.InvalidGrant);
    assert.deepEqual(ended, ['grant']);
  });

  it('forgives nothing of a refresh token once one that came of it was used, and does of one beside it', async () => {
    const tokens = open('RefreshToken');
    await tokens.upsert('first', { ...payload, rotations: 0 }, 60);
    await tokens.consume('first');
    for (const id of ['second', 'beside']) await tokens.upsert(id, { ...payload, rotations: 1 }, 60);
    await tokens.consume('beside');
    assert.ok((await tokens.find('first'))?.consumed);
    await tokens.consume('second');
    assert.equal((await tokens.find('beside'))?.consumed, undefined);
    assert.deepEqual([reused, ended], [[], []]);
  });

  it('keeps no token or code in readable form', async () => {
    for (const kind of ['RefreshToken', 'AuthorizationCode']) {
      const adapter = open(kind);
      await adapter.upsert(`secret-${kind}`, { ...payload, jti: `secret-${kind}` }, 60);
      assert.equal((await adapter.find(`secret-${kind}`))?.jti, `secret-${kind}`);
    }
    assert.doesNotMatch(JSON.stringify(stores[0]?.prepare('SELECT * FROM records').all()), /secret-/);
  });

  it('keeps a bounded number of what strangers can have stored, the newest', async () => {
    const [pushed, people] = [open('PushedAuthorizationRequest'), open('Session')];
    await people.upsert('signed-in', { uid: 'uid' }, 600);
    const [db] = stores;
    for (let count = 0; count < 1250; count += 1) {
      clock.advance(1);
      await pushed.upsert(`request-${count}`, { request: 'x' }, 600);
    }
    const kept = Number(db?.prepare('SELECT count(*) AS kept FROM records').get()?.['kept']);
    assert.ok(kept > 1000 && kept <= 1101, `${kept}`);
    assert.ok(await pushed.find('request-1249'));
    assert.equal(await pushed.find('request-0'), undefined);
    assert.ok(await people.find('signed-in'), 'nothing else makes room');
  });

  it('finds nothing that has expired', async () => {
    const sessions = open('Session');
    await sessions.upsert('id', { uid: 'uid' }, 60);
    const found = await sessions.findByUid('uid');
    assert.ok(found?.jti);
    assert.equal((await sessions.find(found.jti))?.uid, 'uid', 'what was found can be opened and destroyed');
    clock.advance(60_000);
    assert.equal(await sessions.find('id'), undefined);
    assert.equal(await sessions.findByUid('uid'), undefined);
  });
});
