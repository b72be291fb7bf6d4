import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Secret } from '../../../src/base/index.ts';
import { createVault } from '../../../src/upstream/index.ts';

const key = () => new Secret(randomBytes(32).toString('base64'));
const row = ['tickets', 'https://mcp.example.com/oauth', 'alice'];

describe('the vault', () => {
  it('opens what it closed, and never writes the same twice', () => {
    const vault = createVault([key()]);
    const sealed = vault.close(new Secret('canary'), row);
    assert.equal(vault.open(sealed, row)?.secret.reveal(), 'canary');
    assert.notEqual(sealed, vault.close(new Secret('canary'), row));
    assert.ok(!sealed.includes('canary'));
  });

  it('opens nothing in another row: server, issuer and subject are bound', () => {
    const vault = createVault([key()]);
    const sealed = vault.close(new Secret('canary'), row);
    for (const index of row.keys()) {
      assert.equal(vault.open(sealed, row.with(index, 'other')), null);
    }
    assert.equal(vault.open(sealed, [row.join(',')]), null);
  });

  it('opens nothing that was changed, at any place', () => {
    const vault = createVault([key()]);
    const sealed = vault.close(new Secret('canary'), row);
    const [version, id, body = ''] = sealed.split('.');
    const bytes = Buffer.from(body, 'base64url');
    for (const index of bytes.keys()) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      assert.equal(vault.open(`${version}.${id}.${changed.toString('base64url')}`, row), null);
    }
    for (const other of ['', 'v1', `v2.${id}.${body}`, `v1.${id}.`, `${sealed}.x`, `v1.${id}.AAAA`]) {
      assert.equal(vault.open(other, row), null);
    }
  });

  it('opens nothing with another key, also under the name of the right one', () => {
    const [right, wrong] = [key(), key()];
    const sealed = createVault([right]).close(new Secret('canary'), row);
    const idOf = (one: Secret) =>
      createHash('sha256').update(Buffer.from(one.reveal(), 'base64')).digest('hex').slice(0, 8);
    assert.equal(sealed.split('.')[1], idOf(right));
    assert.equal(createVault([wrong]).open(sealed, row), null);
    assert.equal(createVault([wrong]).open(sealed.replace(idOf(right), idOf(wrong)), row), null);
  });

  it('goes on over a rotation, and says what is old', () => {
    const [before, now] = [key(), key()];
    const sealed = createVault([before]).close(new Secret('canary'), row);
    const rotated = createVault([now, before]);
    const opened = rotated.open(sealed, row);
    assert.equal(opened?.secret.reveal(), 'canary');
    assert.equal(opened?.isOld, true);
    const again = rotated.close(new Secret('canary'), row);
    assert.equal(createVault([now]).open(again, row)?.isOld, false);
    assert.equal(createVault([before]).open(again, row), null);
  });

  it('takes 32 bytes in base64 and nothing else', () => {
    for (const bad of ['', 'short', randomBytes(31).toString('base64'), randomBytes(32).toString('hex')]) {
      assert.throws(() => createVault([new Secret(bad)]), /32 bytes/);
    }
    assert.throws(() => createVault([]));
  });
});
