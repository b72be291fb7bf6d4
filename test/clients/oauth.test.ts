import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { decodeJwt } from 'jose';
import { alice, bob, signInAndConsent } from '../authorization-server/support.ts';
import { until } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { generousLimits, startTestGateway, type TestGateway } from './gateway.ts';
import { createProvider } from './provider.ts';
import { sdkClients } from './sdk-clients.ts';

const everything = fileURLToPath(
  import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'),
);
const accounts = [
  { ...alice, role: 'admin' as const },
  { ...bob, role: 'user' as const },
];

const tools = [
  { match: 'delete_*', scope: 'mcp:tools:admin' },
  { match: '*', hint: 'readOnly', scope: 'mcp:tools:read' },
  { match: '*', scope: 'mcp:tools:write' },
];

const startGateway = (upstream: Record<string, unknown>, tokenSeconds = 900) =>
  startTestGateway({
    accounts,
    config: { servers: { only: { upstream } }, limits: generousLimits, http: { drainSeconds: 1 }, tools },
    adjust: (config) => ({
      ...config,
      auth: {
        ...config.auth,
        embedded: config.auth.embedded && { ...config.auth.embedded, accessTokenMinutes: tokenSeconds / 60 },
      },
    }),
  });

const asAlice = (url: URL) => signInAndConsent(url, alice);

for (const sdk of sdkClients) {
  describe(`${sdk.label}, from 401 to a call, HTTP upstream`, () => {
    let fixture: FixtureServer;
    let gateway: TestGateway;
    before(async () => {
      fixture = await startFixtureServer();
      gateway = await startGateway({ url: fixture.url });
    });
    after(async () => {
      await gateway.close();
      await fixture.close();
    });
    const url = () => gateway.servers[0]?.url ?? '';

    it('discovers, registers, signs in and calls', async () => {
      const provider = createProvider(asAlice);
      const connection = await sdk.connect({ url: url(), provider });
      try {
        assert.equal(await connection.call('echo', { text: 'in' }), 'in');
        const claims = decodeJwt(provider.tokens()?.access_token ?? '');
        assert.equal(claims.aud, url());
        assert.equal(claims['client_id'], provider.clientInformation()?.client_id);
        assert.equal(provider.asked.length, 1);
        assert.match(provider.asked[0] ?? '', /mcp:tools:read/);
        assert.doesNotMatch(provider.asked[0] ?? '', /write|admin/);
      } finally {
        await connection.close();
      }
    });

    for (const refresh of [true, false])
      it(`steps up from read to write, ${refresh ? 'with' : 'without'} a refresh token`, async () => {
        const provider = createProvider(asAlice, { refresh });
        const connection = await sdk.connect({ url: url(), provider });
        try {
          assert.equal(await connection.call('write_note', { name: 'n', body: 'b' }), 'wrote n');
          assert.equal(provider.tokens()?.refresh_token !== undefined, refresh);
          assert.equal(provider.asked.length, 2, `asked: ${provider.asked.join(' | ')}`);
          for (const scope of ['mcp:tools:read', 'mcp:tools:write'])
            assert.ok(provider.asked[1]?.includes(scope), scope);
          assert.equal(await connection.call('echo', { text: 'still' }), 'still');
          assert.equal(provider.asked.length, 2, 'a wider token forgot the narrower scope');
          assert.equal(fixture.notes.get('n'), 'b');
        } finally {
          await connection.close();
        }
      });

    it('shows the upstream no credential of the client', () => {
      assert.ok(fixture.requests.length > 0);
      for (const { headers, body } of fixture.requests) {
        assert.equal(headers.authorization, undefined);
        assert.doesNotMatch(JSON.stringify(headers) + body, /Bearer|eyJ/);
      }
    });

    it('asks again when everything that it held is revoked', async () => {
      const provider = createProvider(asAlice);
      const connection = await sdk.connect({ url: url(), provider });
      try {
        await connection.call('echo', { text: 'in' });
        const metadata = await fetch(`${gateway.issuer}/.well-known/openid-configuration`);
        const { revocation_endpoint } = (await metadata.json()) as { revocation_endpoint: string };
        const token = provider.tokens()?.refresh_token ?? provider.tokens()?.access_token ?? '';
        const client_id = provider.clientInformation()?.client_id ?? '';
        const revoked = await fetch(revocation_endpoint, {
          method: 'POST',
          body: new URLSearchParams({ token, client_id }),
        });
        assert.equal(revoked.status, 200);
        // The open stream ends with its token, and a 2025 client comes back with it on its own: two sign-ins may cross.
        await until(
          async () => assert.equal(await connection.call('echo', { text: 'back' }), 'back'),
          10_000,
        );
        assert.ok(provider.asked.length >= 2, 'nobody was asked again');
      } finally {
        await connection.close();
      }
    });

    it('does not let a user have what the role has not', async () => {
      const provider = createProvider((authorization) => signInAndConsent(authorization, bob), {
        refresh: false,
      });
      const connection = await sdk.connect({ url: url(), provider });
      try {
        await assert.rejects(connection.call('delete_note', { name: 'n' }));
        assert.equal(fixture.requests.filter(({ name }) => name === 'delete_note').length, 0);
        assert.ok(provider.asked.length <= 3, `asked: ${provider.asked.join(' | ')}`);
      } finally {
        await connection.close();
      }
    });

    it('comes to nothing when the user denies', async () => {
      const provider = createProvider((authorization) =>
        signInAndConsent(authorization, alice, { decision: 'deny' }),
      );
      await assert.rejects(sdk.connect({ url: url(), provider }), /access_denied|no code/);
      assert.equal(provider.tokens(), undefined);
    });
  });

  describe(`${sdk.label}, when tokens live two seconds`, () => {
    it('refreshes by itself, with a new refresh token each time', async () => {
      const fixture = await startFixtureServer();
      const gateway = await startGateway({ url: fixture.url }, 2);
      try {
        const provider = createProvider(asAlice);
        const connection = await sdk.connect({ url: gateway.servers[0]?.url ?? '', provider });
        await connection.call('echo', { text: 'in' });
        const first = provider.tokens();
        await sleep(2100);
        assert.equal(await connection.call('echo', { text: 'later' }), 'later');
        assert.equal(provider.asked.length, 1, 'the user was asked again');
        assert.ok(provider.saved.length >= 2);
        assert.notEqual(provider.tokens()?.refresh_token, first?.refresh_token);
        await connection.close();
      } finally {
        await gateway.close();
        await fixture.close();
      }
    });
  });

  describe(`${sdk.label}, from 401 to a call, stdio upstream`, () => {
    it('reaches server-everything', async () => {
      const gateway = await startGateway({ command: [process.execPath, everything, 'stdio'] });
      try {
        const provider = createProvider(asAlice, { refresh: false });
        const connection = await sdk.connect({ url: gateway.servers[0]?.url ?? '', provider });
        assert.equal(await connection.call('echo', { message: 'hello' }), 'Echo: hello');
        assert.equal(provider.asked.length, 1);
        assert.match(await connection.call('toggle-simulated-logging').catch(String), /logging/i);
        assert.equal(provider.asked.length, 2, 'no step-up to write');
        await connection.close();
      } finally {
        await gateway.close();
      }
    });
  });
}
