import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  hashPassword,
  passwordFault,
  verifyPassword,
} from '../../src/authorization-server/accounts/password.ts';
import { Throttle } from '../../src/authorization-server/accounts/throttle.ts';
import { type Accounts, openAccounts } from '../../src/authorization-server/index.ts';
import { OperationError, Secret, systemClock } from '../../src/base/index.ts';

const password = new Secret('one two three four');

describe('accounts', () => {
  let parent: string;
  let dataDir: string;
  let accounts: Accounts;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'portcullis-accounts-'));
    dataDir = join(parent, 'data');
    accounts = openAccounts(dataDir, systemClock);
  });
  after(() => {
    accounts.close();
    rmSync(parent, { recursive: true });
  });

  it('are kept in a directory and a file for their owner alone', {
    skip: process.platform === 'win32',
  }, () => {
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
    assert.equal(statSync(join(dataDir, 'authorization.db')).mode & 0o777, 0o600);
  });

  it('are added, listed and removed; a name comes back as another account', async () => {
    await accounts.add({ name: 'Root', password, role: 'admin' });
    const first = await accounts.add({ name: 'carol', password, role: 'user' });
    assert.deepEqual(
      accounts.list().map(({ name, role }) => [name, role]),
      [
        ['carol', 'user'],
        ['root', 'admin'],
      ],
    );
    accounts.remove('CAROL');
    const second = await accounts.add({ name: 'carol', password, role: 'user' });
    assert.notEqual(first.id, second.id);
  });

  it('refuse names that are taken, unusable or look like others', async () => {
    for (const name of ['root', 'ROOT', '', ' ', 'a b', 'rооt', '../x', 'a\n', '-x', 'x'.repeat(65)]) {
      await assert.rejects(accounts.add({ name, password, role: 'user' }), OperationError, name);
    }
  });

  it('refuse to remove nobody and the last administrator', () => {
    assert.throws(() => accounts.remove('nobody'), OperationError);
    assert.throws(() => accounts.remove('root'), /last administrator/);
  });

  it('never print a password or its hash', async () => {
    const weak = new Secret('short-secret');
    await assert.rejects(accounts.setPassword('root', new Secret('short')), (error: Error) => {
      return !error.message.includes(weak.reveal());
    });
    assert.doesNotMatch(JSON.stringify(accounts.list()), /argon2|scrypt|hash/);
  });
});

describe('passwords', () => {
  it('need length, not composition', () => {
    assert.match(passwordFault('elevenchars', 'x') ?? '', /at least 12/);
    assert.equal(passwordFault('twelve chars', 'x'), null);
    assert.equal(passwordFault('жжжж абвг дежз', 'x'), null);
    assert.equal(passwordFault('🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧', 'x'), null);
    assert.ok(passwordFault('aaaaaaaaaaaaaaaa', 'x'));
    assert.ok(passwordFault('alexandrina1', 'alexandrina'));
    assert.ok(passwordFault('x1y2'.repeat(500), 'x'));
  });

  it('are stored as salted argon2id with its parameters', async () => {
    const [one, two] = [await hashPassword('one two three'), await hashPassword('one two three')];
    assert.notEqual(one, two);
    if (typeof crypto.argon2 === 'function') {
      assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    }
    assert.ok(await verifyPassword('one two three', one));
    assert.ok(!(await verifyPassword('one two thre', one)));
    assert.ok(!(await verifyPassword('', one)));
    assert.ok(!(await verifyPassword('x'.repeat(5000), one)));
  });

  it('are the same when typed with composed and decomposed letters', async () => {
    assert.ok(await verifyPassword('cafe\u0301 au lait', await hashPassword('café au lait')));
  });

  it('can be checked against a hash made where argon2 is missing', async () => {
    const salt = crypto.randomBytes(16);
    const derived = crypto.scryptSync('one two three', salt, 32, { N: 2 ** 16, r: 8, p: 1, maxmem: 2 ** 28 });
    const encode = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
    const stored = `$scrypt$ln=16,r=8,p=1$${encode(salt)}$${encode(derived)}`;
    assert.ok(await verifyPassword('one two three', stored));
    assert.ok(!(await verifyPassword('one two four', stored)));
  });
});

describe('throttle', () => {
  it('is bounded, whatever an attacker names', () => {
    const throttle = new Throttle({ failures: 2, windowMs: 1000 });
    for (let index = 0; index < 25_000; index += 1) throttle.count(`name ${index}`, 0);
    assert.equal(throttle.waitMs('name 0', 0), 0);
    throttle.count('name 24999', 0);
    assert.equal(throttle.waitMs('name 24999', 0), 1000);
    assert.equal(throttle.waitMs('name 24999', 1000), 0);
  });
});
