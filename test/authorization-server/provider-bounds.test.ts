import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createAccountStore } from '../../src/authorization-server/accounts/index.ts';
import {
  createIdentities,
  createIdentityProvider,
  createLivingAccount,
  createSeal,
} from '../../src/authorization-server/identity-provider/index.ts';
import { createPasskeyStore } from '../../src/authorization-server/passkeys/store.ts';
import { openStore } from '../../src/authorization-server/stores/schema.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { createOutbound, type Outbound } from '../../src/outbound/index.ts';
import { providerConfig } from './provider-sign-in.ts';

const secrets = { state: 's', nonce: 'n', verifier: 'v'.repeat(43) };

/** Answers discovery at any address, as a provider that has another issuer than was asked for. */
function outboundAnswering(metadata: object): Outbound {
  return {
    fetchJson: async () => metadata,
    exchange: async () => Response.json(metadata),
    close: async () => {},
  };
}

describe('a provider', () => {
  // openid-client lets these hosts name another issuer.
  for (const issuer of [
    'https://login.microsoftonline.com/organizations/v2.0',
    'https://example.b2clogin.com/example.onmicrosoft.com/v2.0',
  ]) {
    it(`is refused when it is not exactly the one configured: ${new URL(issuer).host}`, async () => {
      const metadata = {
        issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
        authorization_endpoint: `${issuer}/authorize`,
      };
      const provider = createIdentityProvider({
        config: providerConfig(issuer),
        redirectUri: 'https://mcp.example.com/cb',
        outbound: outboundAnswering(metadata),
        clock: systemClock,
      });
      await assert.rejects(
        provider.authorizationUrl(secrets, { fresh: false }),
        /other_issuer|JSON_ATTRIBUTE/,
      );
    });
  }

  it('that does not listen is unavailable', async () => {
    const outbound = createOutbound();
    const provider = createIdentityProvider({
      config: providerConfig('http://127.0.0.1:1'),
      redirectUri: 'https://mcp.example.com/cb',
      outbound,
      clock: systemClock,
    });
    await assert.rejects(provider.authorizationUrl(secrets, { fresh: false }), /unavailable/);
    await outbound.close();
  });
});

describe('what is stored of people', () => {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-people-'));
  const db = openStore(directory);
  after(() => {
    db.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const accounts = createAccountStore(db, systemClock);

  it('is good for the provider that it came from, and no other', async () => {
    const identities = createIdentities({
      db,
      clock: systemClock,
      accounts,
      seal: createSeal(Buffer.alloc(32, 1)),
      audit: () => {},
    });
    const issuer = 'https://idp.example.com';
    const identity = { subject: 's', name: 'dora', role: 'user', organization: 'default' } as const;
    const account = identities.signIn(issuer, identity, null);
    assert.ok(account);
    const living = (configured: string | null) => {
      const outbound = outboundAnswering({});
      const config = providerConfig(configured ?? '');
      const provider =
        configured === null
          ? null
          : createIdentityProvider({
              config,
              redirectUri: 'https://a.example/cb',
              outbound,
              clock: systemClock,
            });
      const audit = () => {};
      return createLivingAccount({
        accounts,
        identities,
        provider,
        clock: systemClock,
        audit,
        log: silentLog,
      });
    };
    assert.equal((await living(issuer)(account.id))?.id, account.id);
    assert.equal(await living('https://other.example.com')(account.id), undefined);
    assert.equal(await living(null)(account.id), undefined);
  });

  it('counts a passkey forward only', () => {
    const store = createPasskeyStore(db);
    const [owner] = accounts.list();
    assert.ok(owner);
    const passkey = { credentialId: 'c', accountId: owner.id, label: 'l', publicKey: new Uint8Array(1) };
    assert.ok(store.add({ ...passkey, counter: 0, createdAt: 0, usedAt: null }));
    assert.equal(store.add({ ...passkey, counter: 0, createdAt: 0, usedAt: null }), false);
    const use = (counter: number) => store.used('c', { counter, now: 1 });
    assert.deepEqual(
      [use(0), use(0), use(3), use(3), use(2), use(0), use(4)],
      [true, true, true, false, false, false, true],
    );
    assert.equal(store.remove('somebody else', 'c'), false);
    assert.equal(store.remove(owner.id, 'c'), true);
  });
});
