import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { gateway, home } from '../cli/support/run.ts';
import { allScopes, freePort, until } from '../gateway/support.ts';
import { startIssuer } from '../identity/issuer.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { numberOf, readExposition } from './exposition.ts';
import { startCollector, tracedCall } from './support.ts';

it('portcullis serve: spans and metrics of a call leave, a scrape answers, a reload cannot move them, the end sends the rest', async (t) => {
  const collector = await startCollector(t);
  const upstream = await startFixtureServer({ port: 0 });
  const issuer = await startIssuer();
  t.after(async () => {
    await upstream.close();
    await issuer.stop();
  });
  const cwd = home(t);
  const [port, scrapePort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}/mcp`;
  const file = join(cwd, 'portcullis.yaml');
  writeFileSync(
    file,
    [
      `publicUrl: http://127.0.0.1:${port}`,
      `listen: { port: ${port} }`,
      'data: ./data',
      `servers: { notes: { upstream: { url: "${upstream.url}" } } }`,
      `auth: { issuers: [ { issuer: "${issuer.issuer}", audience: ["${url}"] } ] }`,
      'telemetry:',
      `  otlp: ${collector.url}`,
      '  headers: { authorization: { env: OTLP_AUTHORIZATION } }',
      '  metrics: { every: 1s }',
      `  prometheus: { listen: { port: ${scrapePort} }, token: { env: SCRAPE_TOKEN } }`,
    ].join('\n'),
  );
  const env = { OTLP_AUTHORIZATION: 'Bearer of-the-collector', SCRAPE_TOKEN: 'a-token-of-the-scraper' };
  const running = await gateway(t, ['serve', '--json', '--config', file], { cwd, env });
  const token = await issuer.sign({ aud: url, scope: allScopes, jti: 'one' });
  assert.equal((await tracedCall(url, token)).status, 200);
  const scrape = async () => {
    const headers = { authorization: `Bearer ${env.SCRAPE_TOKEN}` };
    const answer = await fetch(`http://127.0.0.1:${scrapePort}/metrics`, { headers });
    return readExposition(await answer.text());
  };
  await until(async () => {
    assert.equal(numberOf(await scrape(), 'portcullis_calls_total', { portcullis_reason: 'ok' }), 1);
  });
  await until(() => assert.ok(collector.metrics.some(({ name }) => name === 'portcullis.calls')));
  writeFileSync(file, readFileSync(file, 'utf8').replace('every: 1s', 'every: 2s'));
  await running.says('telemetry');
  assert.match(running.stderr(), /cannot change while the gateway runs/);
  assert.equal(await running.stop(), 0);
  const names = collector.spans.map(({ name, kind }) => [name, kind]);
  assert.deepEqual(names, [
    ['tools/call echo', 2],
    ['tools/call echo', 3],
  ]);
  assert.deepEqual(collector.faults, []);
  assert.ok(collector.requests.every(({ headers }) => headers['authorization'] === env.OTLP_AUTHORIZATION));
  const said = running.stderr() + running.stdout();
  for (const secret of [...Object.values(env), token]) assert.ok(!said.includes(secret));
});
