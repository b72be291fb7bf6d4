import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { auth } from '@modelcontextprotocol/client';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';
import { alice, signInAndConsent } from '../authorization-server/support.ts';
import { createProvider } from '../clients/provider.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { callTool, freePort, modernCall, outcomes, until } from './support.ts';

/** Signs alice in as another client each time. */
async function obtainToken(serverUrl: string): Promise<{ access_token: string; client_id: string }> {
  const provider = createProvider((url) => signInAndConsent(url, alice));
  await auth(provider, { serverUrl });
  const callback = provider.takeCallback();
  const code = callback.get('code') ?? '';
  await auth(provider, { serverUrl, authorizationCode: code, iss: callback.get('iss') ?? '' });
  const access_token = provider.tokens()?.access_token ?? '';
  return { access_token, client_id: provider.clientInformation()?.client_id ?? '' };
}

it('a revoked token ends the streams that it opened, and no others', async (t) => {
  const upstream = await startFixtureServer({ port: 0 });
  const dataDir = await mkdtemp(join(tmpdir(), 'portcullis-test-'));
  const accounts = openAccounts(dataDir, systemClock);
  await accounts.add({ name: alice.name, password: new Secret(alice.password), role: 'admin' });
  accounts.close();
  const port = await freePort();
  const file = join(dataDir, 'portcullis.yaml');
  const origin = `http://127.0.0.1:${port}`;
  await writeFile(
    file,
    `publicUrl: ${origin}\nlisten: { port: ${port} }\ndata: .\nservers: { notes: { upstream: { url: "${upstream.url}" } } }\n`,
  );
  const { config } = await loadConfig({ file, environment: {}, cwd: dataDir });
  const gateway = await startGateway({ config, clock: systemClock, log: silentLog, environment: {} });
  t.after(async () => {
    await gateway.close();
    await upstream.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const url = gateway.servers[0]?.url ?? '';
  const first = await obtainToken(url);
  const second = await obtainToken(url);
  const listen = (token: string) =>
    modernCall(url, token, {
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    });
  const streams = [await listen(first.access_token), await listen(second.access_token)];
  assert.deepEqual(
    streams.map(({ status }) => status),
    [200, 200],
  );
  const ended = streams.map((stream) =>
    stream.text().then(
      () => 'ended',
      () => 'cut',
    ),
  );

  const revoked = await fetch(`${origin}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: first.access_token, client_id: first.client_id }),
  });
  assert.equal(revoked.status, 200);
  assert.equal(await ended[0], 'cut');
  assert.equal((await callTool(url, first.access_token, 'echo', { text: 'x' })).status, 401);
  assert.equal((await callTool(url, second.access_token, 'echo', { text: 'x' })).status, 200);
  await until(() => assert.equal(upstream.subscriptions(), 1));
  const records = (await outcomes(dataDir)).filter(({ method }) => method === 'subscriptions/listen');
  assert.deepEqual(
    records.map(({ result, reason }) => [result, reason]),
    [['denied_auth', 'token_revoked']],
  );
});
