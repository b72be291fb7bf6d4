import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';
import { allScopes, callTool, freePort, modernCall, outcomes, until } from '../gateway/support.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { startIntrospectionEndpoint } from './introspection-endpoint.ts';

it('opaque tokens from the configuration to a call; revoked, refused and their streams cut within the bound', async (t) => {
  const upstream = await startFixtureServer({ port: 0 });
  const issuer = await startIntrospectionEndpoint();
  const dataDir = await mkdtemp(join(tmpdir(), 'portcullis-test-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/mcp`;
  const file = join(dataDir, 'portcullis.yaml');
  await writeFile(
    file,
    [
      `publicUrl: http://127.0.0.1:${port}`,
      `listen: { port: ${port} }`,
      'data: .',
      `servers: { notes: { upstream: { url: "${upstream.url}" } } }`,
      'auth:',
      '  revocation: { withinSeconds: 1 }',
      '  issuers:',
      `    - issuer: "${issuer.issuer}"`,
      `      audience: ${url}`,
      '      verify: introspection',
      '      introspection: { clientId: gateway, clientSecret: { env: INTROSPECTION_SECRET } }',
    ].join('\n'),
  );
  const environment = { INTROSPECTION_SECRET: 'x' };
  const { config } = await loadConfig({ file, environment, cwd: dataDir });
  const gateway = await startGateway({ config, clock: systemClock, log: silentLog, environment });
  t.after(async () => {
    await gateway.close();
    await upstream.close();
    await issuer.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const revoked = new Set<string>();
  issuer.answer = (token) =>
    revoked.has(token)
      ? null
      : { sub: token, aud: url, client_id: 'c', scope: allScopes, exp: Math.floor(Date.now() / 1000) + 300 };
  const echo = async (token: string) => (await callTool(url, token, 'echo', { text: 'x' })).status;
  const listen = (token: string) =>
    modernCall(url, token, {
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    });
  assert.equal(await echo('alice'), 200);
  const streams = [await listen('alice'), await listen('bob')];
  assert.deepEqual(
    streams.map(({ status }) => status),
    [200, 200],
  );
  const ends = streams.map((stream) =>
    stream.text().then(
      () => 'ended',
      () => 'cut',
    ),
  );
  const began = performance.now();
  revoked.add('alice');
  assert.equal(await ends[0], 'cut');
  assert.ok(performance.now() - began < 3000, 'long after the bound');
  await until(async () => assert.equal(await echo('alice'), 401), 1000);
  assert.equal(await echo('bob'), 200);
  assert.equal(await Promise.race([ends[1], 'open']), 'open');
  issuer.answer = () => ({ status: 503, body: '{}' });
  await until(async () => assert.equal(await echo('bob'), 503));
  assert.equal(await Promise.race([ends[1], 'open']), 'open', 'no answer is no revocation');
  await until(async () => {
    const records = await outcomes(dataDir);
    for (const { subject, token_id, token_ref } of records.filter((one) => one.subject !== null)) {
      assert.equal(token_id, null, 'the issuer gives no jti');
      assert.match(token_ref ?? '', /^hmac-sha256:/);
      assert.equal(token_ref, records.find((one) => one.subject === subject)?.token_ref);
    }
    const reasons = records.map(({ reason }) => reason);
    for (const reason of ['token_revoked', 'issuer_unavailable'] as const)
      assert.ok(reasons.includes(reason));
  });
});
