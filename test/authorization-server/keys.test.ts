import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { calculateJwkThumbprint } from 'jose';
import { openKeys } from '../../src/authorization-server/keys.ts';
import { OperationError } from '../../src/base/index.ts';
import { movableClock } from './support.ts';

const day = 24 * 3_600_000;
const posix = process.platform !== 'win32';

describe('keys', () => {
  let dataDir: string;
  before(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'portcullis-keys-'));
  });
  after(() => rmSync(dataDir, { recursive: true }));

  it('are made at first start, for their owner alone, and found again', async () => {
    const options = { dataDir, clock: movableClock(), tokenLifeMs: 20 * 60_000 };
    const first = openKeys(options);
    const path = join(dataDir, 'authorization-keys.json');
    if (posix) assert.equal(statSync(path).mode & 0o777, 0o600);
    const second = openKeys(options);
    assert.deepEqual(second.publicKeys(), first.publicKeys());
    assert.deepEqual(second.cookieKeys(), first.cookieKeys());
    const [key] = first.publicKeys().keys;
    assert.ok(key);
    assert.equal(key.kid, await calculateJwkThumbprint(key));
    assert.deepEqual([key.kty, key.crv, key.alg, key.use, key.d], ['EC', 'P-256', 'ES256', 'sig', undefined]);
  });

  it('rotate after 90 days: the newest signs, the old one verifies while its tokens live', () => {
    const clock = movableClock();
    const keys = openKeys({ dataDir, clock, tokenLifeMs: 20 * 60_000 });
    const old = keys.currentKid;
    const stable = keys.publicKeys();
    clock.advance(89 * day);
    assert.equal(keys.rotateIfDue(), false);
    assert.equal(keys.publicKeys(), stable);
    clock.advance(2 * day);
    assert.equal(keys.rotateIfDue(), true);
    assert.equal(keys.rotateIfDue(), false);
    assert.notEqual(keys.currentKid, old);
    assert.deepEqual(
      keys.publicKeys().keys.map(({ kid }) => kid),
      [keys.currentKid, old],
    );
    clock.advance(91 * day);
    keys.rotateIfDue();
    assert.equal(keys.publicKeys().keys.length, 2);
    assert.ok(keys.publicKeys().keys.every(({ kid }) => kid !== old));
  });

  it('are refused when others can read them, and when they are damaged', { skip: !posix }, () => {
    const path = join(dataDir, 'authorization-keys.json');
    const options = { dataDir, clock: movableClock(), tokenLifeMs: 1000 };
    chmodSync(path, 0o644);
    assert.throws(() => openKeys(options), /can be read by other users/);
    chmodSync(path, 0o600);
    const secret = JSON.parse(readFileSync(path, 'utf8')).forms as string;
    writeFileSync(path, `{"signing":[],"cookies":[],"forms":"${secret}"}`);
    assert.throws(
      () => openKeys(options),
      (error: Error) => error instanceof OperationError && !error.message.includes(secret),
    );
  });
});
