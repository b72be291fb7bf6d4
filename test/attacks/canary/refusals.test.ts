import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { type RefusalCode, refusalCodes } from '../../../src/base/index.ts';
import { openStopFile, type Stop } from '../../../src/stops/index.ts';
import { proofKey } from '../../identity/proof.ts';
import { refusalTable } from './table.ts';
import { startWorld, until, type World } from './world.ts';

/** What the second gateway is for. */
const second: readonly RefusalCode[] = [
  ...(['host_denied', 'proof_unavailable', 'limits_unavailable', 'stops_unavailable'] as const),
  ...(['audit_unavailable', 'shutting_down'] as const),
];
/** No request causes it. */
const unreachable: readonly RefusalCode[] = ['internal_error'];

it('every code of the closed list has a row, and every row its code', () => {
  assert.deepEqual(Object.keys(refusalTable).toSorted(), refusalCodes.toSorted());
  const elsewhere = refusalCodes.filter((code) => typeof refusalTable[code] !== 'function');
  assert.deepEqual(elsewhere.toSorted(), [...second, ...unreachable].toSorted());
});

it('a request that is refused, for whatever reason, leaves nothing of its secrets anywhere', {
  timeout: 240_000,
}, async (t) => {
  const world = await startWorld(t);
  for (const code of refusalCodes) {
    const row = refusalTable[code];
    if (typeof row === 'function') await row(world);
  }
  // What is answered, and what fails at the server behind.
  for (const tool of ['good', 'rpc_error', 'tool_error'])
    await world.send({ tool, token: await world.token() });
  await until(() => {
    const seen = new Set(world.reasons());
    const missing = refusalCodes.filter(
      (code) => typeof refusalTable[code] === 'function' && !seen.has(code),
    );
    assert.deepEqual(missing, [], 'reasons that no request met');
  }, 10_000);
  await world.scrape();
  // With its write-ahead log, which a closed store does not have.
  assertClean(world, (text) => echoes(text));
  assert.equal(await world.running.stop(), 0);
  assertClean(world, (text) => echoes(text));
  assert.ok(
    world.upstream.requests.some(({ headers }) => String(headers['x-api-key']).startsWith('CANARY')),
    'the secrets were in use',
  );
});

it('nor when a store fails, or the gateway ends', { timeout: 120_000 }, async (t) => {
  const world = await startWorld(t, {
    environment: (canaries) => ({
      REDIS: `redis://gate:${canaries.make('password of Redis')}@127.0.0.1:1/0`,
    }),
    servers: ({ upstream }) => `
  main: { path: /main/mcp, upstream: { url: "${upstream}", headers: { x-api-key: { env: UPSTREAM_KEY } }, timeout: 60s } }
  dpop: { path: /dpop/mcp, dpop: required, upstream: { url: "${upstream}" } }
  own: { path: /own/mcp, upstream: { url: "${upstream}", connect: { issuer: "http://127.0.0.1:1", clientId: portcullis, clientSecret: { env: CONNECT_SECRET } } } }`,
    rest: 'redis: { url: { env: REDIS }, commandTimeout: 200ms }\nlimits: { whenStoreIsDown: { destructive: closed, others: local } }',
  });
  const met = (...codes: RefusalCode[]) =>
    until(() => {
      const seen = new Set(world.reasons());
      assert.deepEqual(
        codes.filter((code) => !seen.has(code)),
        [],
        'reasons that no request met',
      );
    }, 10_000);
  await world.raw(
    `POST /main/mcp HTTP/1.1\r\nHost: ${world.canaries.make('Host')}.example\r\nAuthorization: Bearer ${world.canaries.make('a token')}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  );
  await withoutRedis(world);
  await met('limits_unavailable', 'proof_unavailable');
  const inFlight = world.send({ tool: 'stream', token: await world.token() }).catch(() => null);
  await until(() => assert.ok(world.upstream.requests.some(({ text }) => text.includes('"stream"'))), 5_000);

  const lock = new DatabaseSync(join(world.data, 'audit.db'));
  lock.exec('BEGIN EXCLUSIVE');
  await world.send({ token: await world.token() });
  lock.exec('COMMIT');
  lock.close();
  await met('audit_unavailable');
  const stops = openStopFile(world.data);
  const damaged = {
    id: 'x',
    kind: 'tenant',
    name: 'x',
    server: null,
    issuer: null,
    reason: null,
    by: 'x',
    at: 0,
    resumed: null,
  };
  await stops.merge([damaged as unknown as Stop]);
  await stops.close();
  await until(async () => {
    await world.send({ token: await world.token() });
    assert.ok(world.reasons().includes('stops_unavailable'), world.reasons().slice(-3).join());
  }, 15_000);
  await world.running.stop();
  await inFlight;
  await met('shutting_down');
  assertClean(world, (text) => echoes(text));
});

async function withoutRedis(world: World): Promise<void> {
  await world.send({ tool: 'writes', token: await world.token({ scope: 'mcp:tools:write' }) });
  const key = await proofKey();
  const bound = await world.token({ aud: world.url('dpop'), cnf: { jkt: key.thumbprint } });
  const proof = await key.proof({ htu: world.url('dpop'), token: bound });
  world.canaries.add('a proof', proof.split('.')[2] ?? '');
  await world.send({ server: 'dpop', scheme: 'DPoP', token: bound, headers: { dpop: proof } });
}

function assertClean(world: World, without: (text: string) => string): void {
  const places = world.places();
  for (const place of ['copy.jsonl', 'audit.db', 'what /otlp got', 'what /webhook got', 'standard output'])
    assert.ok((places.get(place)?.length ?? 0) > 500, `${place} was looked at: ${[...places.keys()]}`);
  assert.ok(world.canaries.size > 20);
  const leaks = [...places].flatMap(([place, text]) =>
    world.canaries
      .foundIn(place === 'an answer' ? without(text) : text)
      .map((leak) => `${leak} is in ${place}`),
  );
  assert.deepEqual([...new Set(leaks)], []);
}

/** Answers of the server behind go to whoever asked, whole: what it repeats, it repeats to its sender. */
function echoes(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/failed for \{/.test(line))
    .join('\n');
}
