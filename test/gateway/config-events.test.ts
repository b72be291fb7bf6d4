import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { queryAudit, type StoredEntry } from '../../src/audit/index.ts';
import { gateway, home } from '../cli/support/run.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { callTool, freePort, until } from './support.ts';

/** One file, changed three times while the real program runs: its rules, a secret alone, and into nonsense. */
it('a change of the configuration is on record with the hashes before and after, a refused one with its fault', async (t) => {
  const upstream = await startFixtureServer({ port: 0 });
  t.after(() => upstream.close());
  const cwd = home(t);
  const port = await freePort();
  const key = join(cwd, 'key');
  writeFileSync(key, 'CANARY-one');
  const file = join(cwd, 'portcullis.yaml');
  writeFileSync(
    file,
    `
publicUrl: http://127.0.0.1:${port}
listen: { port: ${port} }
data: ./data
servers:
  notes: { path: /mcp, upstream: { url: "${upstream.url}", headers: { x-api-key: { file: ${key} } } } }
`,
  );
  const running = await gateway(t, ['serve', '--config', file, '--json'], { cwd });
  const events = (...names: string[]): Record<string, unknown>[] =>
    [...queryAudit(join(cwd, 'data'), { events: true, order: 'oldest' })].flatMap((entry) =>
      entry.phase === 'event' && names.includes(entry.event) ? [{ event: entry.event, ...entry.data }] : [],
    );
  const next = (name: string, count: number) => until(() => assert.equal(events(name).length, count), 15_000);
  const reload = () => running.child.kill('SIGHUP');
  await next('gateway.started', 1);

  appendFileSync(file, 'tools: [{ match: "*", scope: mcp:tools:admin }]\n');
  await next('config.reloaded', 1);
  writeFileSync(key, 'CANARY-two');
  reload();
  await next('config.reloaded', 2);
  appendFileSync(file, 'limits: { client: CANARY per fortnight }\n');
  await next('config.refused', 1);
  await callTool(`http://127.0.0.1:${port}/mcp`, 'x', 'echo');
  assert.equal(await running.stop(), 0);

  const [started, first, second, refused, stopped] = events(
    ...['gateway.started', 'config.reloaded', 'config.refused', 'gateway.stopped'],
  );
  assert.match(String(started?.['config']), /^hmac-sha256:[0-9a-f]{64}$/);
  assert.match(String(started?.['policy']), /^sha256:[0-9a-f]{64}$/);
  assert.equal(first?.['before'], started?.['config']);
  assert.equal(first?.['policy_before'], started?.['policy']);
  assert.notEqual(first?.['policy_after'], first?.['policy_before'], 'other rules are another policy');
  assert.equal(second?.['before'], first?.['after']);
  assert.notEqual(second?.['after'], second?.['before'], 'another secret is another configuration');
  assert.equal(second?.['policy_after'], first?.['policy_after'], 'and the same policy');
  assert.equal(refused?.['event'], 'config.refused');
  assert.ok(Number(refused?.['faults']) >= 1);
  assert.match(String(refused?.['detail']), /portcullis\.yaml:\d+/);
  assert.equal(stopped?.['event'], 'gateway.stopped');
  assert.doesNotMatch(JSON.stringify(events('config.reloaded', 'gateway.started')), /CANARY/);
});

it('a record names the policy that decided, as the event of the start does', async (t) => {
  const upstream = await startFixtureServer({ port: 0 });
  t.after(() => upstream.close());
  const { startTestGateway } = await import('./support.ts');
  const test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
  });
  t.after(() => test.close());
  await callTool(test.url, await test.token('mcp:tools:read'), 'echo', { text: 'a' });
  await callTool(test.url, null, 'echo', { text: 'a' });
  const [called, refused] = await test.records();
  const [started] = [
    ...queryAudit(test.dataDir, { events: true, event: 'gateway.started' }),
  ] as (StoredEntry & {
    phase: 'event';
  })[];
  assert.match(String(called?.policy_hash), /^sha256:/);
  assert.equal(called?.policy_hash, started?.data['policy']);
  assert.equal(refused?.policy_hash ?? null, null, 'where no policy was asked there is none');
});
