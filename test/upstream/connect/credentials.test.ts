import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Account } from '../../../src/authorization-server/accounts/index.ts';
import { createAccountStore } from '../../../src/authorization-server/accounts/index.ts';
import { createConnections, createCredentials } from '../../../src/authorization-server/connections/index.ts';
import { openStore } from '../../../src/authorization-server/stores/schema.ts';
import { Secret, silentLog, systemClock } from '../../../src/base/index.ts';
import type { Principal } from '../../../src/identity/index.ts';
import { createOutbound } from '../../../src/outbound/index.ts';
import { createVault } from '../../../src/upstream/index.ts';
import { startUpstreamProvider, type UpstreamProvider } from './provider.ts';

const issuer = 'https://mcp.example.com/oauth';
const key = () => new Secret(randomBytes(32).toString('base64'));
const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-connect-'));
const db = openStore(dataDir);
const outbound = createOutbound();
const accounts = createAccountStore(db, systemClock);
let provider: UpstreamProvider;
let alice: Account;

before(async () => {
  provider = await startUpstreamProvider('secret');
  alice = await accounts.add({ name: 'alice', password: new Secret('a long password'), role: 'user' });
});
beforeEach(() => {
  provider.delayMs = 0;
  provider.life = 3600;
});
after(async () => {
  await provider.close();
  await outbound.close();
  db.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** What one process has. */
function processWith(keys: readonly Secret[], change: { clientId?: string; upstreamUrl?: string } = {}) {
  const { clientId = 'portcullis', upstreamUrl = 'https://up.example/mcp' } = change;
  const connect = {
    issuer: provider.issuer,
    endpoints: null,
    clientId,
    clientSecret: new Secret('secret'),
    scopes: [],
    resource: null,
  };
  const parts = { db, clock: systemClock, log: silentLog, outbound, issuer };
  const connections = createConnections(
    { vault: createVault(keys), servers: [{ name: 'tickets', upstreamUrl, connect }] },
    { ...parts, publicUrl: 'https://mcp.example.com' },
  );
  const credentials = createCredentials({ ...parts, connections, accounts, audit: () => {} });
  const principal = { issuer, subject: alice.id } as Principal;
  return {
    connections,
    credentials,
    find: () => credentials.find('tickets', principal),
    owner: connections.owner('tickets', alice.id),
  };
}

/** Connects alice by a code, as the page does. */
async function connect({ connections, owner }: ReturnType<typeof processWith>): Promise<void> {
  const own = connections.providers.get('tickets');
  assert.ok(own);
  const secrets = { state: 'state', verifier: randomBytes(32).toString('base64url') };
  const callback = new URL(provider.callbackFor(await own.authorizationUrl(secrets)));
  connections.store.save(owner, await own.redeem(callback, secrets));
}

describe('connections and keys', () => {
  it('survive a rotation, and are sealed with the new key from then on', async () => {
    const [old, now] = [key(), key()];
    await connect(processWith([old]));
    assert.equal((await processWith([now]).find()).state, 'not_connected');
    assert.equal((await processWith([now, old]).find()).state, 'connected');
    assert.equal((await processWith([now]).find()).state, 'connected');
  });

  it('end with another client or another origin of the upstream', async () => {
    const keys = [key()];
    await connect(processWith(keys));
    assert.equal((await processWith(keys, { clientId: 'other' }).find()).state, 'not_connected');
    const moved = processWith(keys, { upstreamUrl: 'https://elsewhere.example/mcp' });
    assert.equal((await moved.find()).state, 'not_connected');
    assert.equal((await processWith(keys).find()).state, 'connected');
  });
});

describe('two processes that renew at once', () => {
  it('do not end the connection: the refresh token was good for one of them', async () => {
    const keys = [key()];
    const [one, two] = [processWith(keys), processWith(keys)];
    provider.life = 30;
    await connect(one);
    Object.assign(provider, { life: 3600, delayMs: 50 });
    await Promise.all([one.find(), two.find()]);
    assert.equal((await one.find()).state, 'connected');
    assert.equal((await two.find()).state, 'connected');
  });

  it('a renewal does not bring back what was removed meanwhile', async () => {
    const one = processWith([key()]);
    provider.life = 30;
    await connect(one);
    Object.assign(provider, { life: 3600, delayMs: 100 });
    const renewal = one.find();
    one.connections.store.remove(one.owner);
    assert.equal((await renewal).state, 'not_connected');
    assert.deepEqual(one.connections.store.list(alice.id), []);
  });
});
