import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openGrants } from '../../src/authorization-server/index.ts';
import { type Clock, systemClock } from '../../src/base/index.ts';
import { run } from '../cli/support/run.ts';
import { startIssuer, type TestIssuer } from '../identity/issuer.ts';
import { proofKey } from '../identity/proof.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { isRedisInstalled, type RedisServer, startRedis } from '../support/redis/index.ts';
import { type Replica, replicas } from './replicas.ts';
import { allScopes, callTool, modernCall, startTestGateway, type TestGateway, until } from './support.ts';

let upstream: FixtureServer;
before(async () => {
  upstream = await startFixtureServer({ port: 0 });
});
after(() => upstream.close());

const typed = (dataDir: string, ...words: string[]) =>
  run(['revoke', ...words, '--data', dataDir, '--json'], { cwd: dataDir });

const aMinuteAgo: Clock = { ...systemClock, now: () => systemClock.now() - 60_000 };

/** What the command does, without its start. */
function revoke(
  dataDir: string,
  kind: 'jti' | 'client' | 'subject',
  id: string,
  { issuer = null, clock = systemClock }: { issuer?: string | null; clock?: Clock } = {},
): void {
  const grants = openGrants(dataDir, clock);
  if (issuer === null && kind === 'jti') grants.endToken(id);
  else grants.endElsewhere(kind, id, issuer);
  grants.close();
}

describe('tokens of another issuer, verified by signature', () => {
  let test: TestGateway;
  before(async () => {
    test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      rest: '  revocation: { withinSeconds: 1 }',
    });
  });
  after(() => test.close());

  const status = async (token: string): Promise<number> =>
    (await callTool(test.url, token, 'echo', { text: 'x' })).status;
  const isRefused = (token: string) => until(async () => assert.equal(await status(token), 401));
  const now = () => Math.floor(Date.now() / 1000);

  it('end by their jti: the call, a token in the cache, and a stream that is open', async () => {
    const [doomed, other] = [await test.token(allScopes, { jti: 'a b' }), await test.token(allScopes)];
    assert.equal(await status(doomed), 200);
    const listening = await modernCall(test.url, doomed, {
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    });
    const ended = listening.text().then(
      () => 'ended',
      () => 'cut',
    );
    assert.equal((await typed(test.dataDir, 'jti', 'a b')).code, 0);
    await isRefused(doomed);
    assert.equal(await ended, 'cut');
    assert.equal(await status(other), 200);
  });

  it('end by client or subject, and those that are given out later are good', async () => {
    for (const [kind, claim] of [
      ['client', 'client_id'],
      ['subject', 'sub'],
    ] as const) {
      const old = await test.token(allScopes, { [claim]: `bad ${kind}`, iat: now() - 120 });
      assert.equal(await status(old), 200);
      revoke(test.dataDir, kind, `bad ${kind}`, { clock: aMinuteAgo });
      await isRefused(old);
      const unsaid = await test.token(allScopes, { [claim]: `bad ${kind}`, iat: undefined });
      assert.equal(await status(unsaid), 401, 'who says no time cannot be later');
      // Later than the revocation by more than clocks may differ.
      const later = await test.token(allScopes, { [claim]: `bad ${kind}`, iat: now() });
      assert.equal(await status(later), 200);
    }
  });

  it('end for the issuer that is named, and no other: ids of two may be alike', async () => {
    const token = await test.token(allScopes, { jti: 'alike' });
    revoke(test.dataDir, 'jti', 'alike', { issuer: 'https://b.example' });
    revoke(test.dataDir, 'jti', 'mark');
    await isRefused(await test.token(allScopes, { jti: 'mark' }));
    assert.equal(await status(token), 200);
    assert.equal((await typed(test.dataDir, 'jti', 'alike', '--issuer', test.issuer.issuer)).code, 0);
    await isRefused(token);
  });
});

describe('gateways that share a Redis', {
  skip: !isRedisInstalled && 'no redis-server on this machine',
}, () => {
  let redis: RedisServer;
  let issuer: TestIssuer;
  before(async () => {
    redis = await startRedis();
    issuer = await startIssuer();
  });
  after(async () => {
    await redis.close();
    await issuer.stop();
  });

  const fleet = (server = '') => {
    const rest = (url: string) =>
      [
        'auth:',
        `  issuers: [ { issuer: "${issuer.issuer}", audience: ["${url}"] } ]`,
        '  revocation: { withinSeconds: 1 }',
        'redis: { url: { env: REDIS_URL }, commandTimeout: 2s }',
      ].join('\n');
    return replicas({ upstream: upstream.url, server, rest, environment: { REDIS_URL: redis.url } });
  };

  const sign = (aud: string, more: Record<string, unknown> = {}) =>
    issuer.sign({ aud, scope: allScopes, jti: `jti-${Math.random()}`, ...more });

  it('hear of each other\u2019s revocations, over the death of Redis and of what it knew', async (t) => {
    const all = await fleet();
    const [one, two] = [await all.start(t), await all.start(t)];
    const call = (replica: Replica, token: string) => replica.call({ authorization: `Bearer ${token}` });
    const [first, second] = [await sign(all.url, { jti: 'one' }), await sign(all.url, { jti: 'two' })];
    for (const token of [first, second]) assert.equal(await call(two, token), 200);
    revoke(one.dataDir, 'jti', 'one');
    await until(async () => assert.equal(await call(two, first), 401));
    assert.equal(await call(two, second), 200);
    await redis.kill();
    revoke(one.dataDir, 'jti', 'two');
    await until(async () => assert.equal(await call(one, second), 401));
    assert.equal(await call(two, first), 401, 'what was known holds');
    await redis.restart();
    await until(async () => assert.equal(await call(two, second), 401), 10_000);
    const third = await all.start(t);
    await until(async () => assert.equal(await call(third, first), 401));
    assert.equal(await call(third, second), 401, 'a new one hears of all of them');
  });

  it('take a proof of possession once among them, and none while nobody can say', async (t) => {
    const all = await fleet('dpop: required,');
    const [one, two] = [await all.start(t), await all.start(t)];
    const key = await proofKey();
    const token = await sign(all.url, { cnf: { jkt: key.thumbprint } });
    const proven = async () => ({
      authorization: `DPoP ${token}`,
      dpop: await key.proof({ htu: all.url, token }),
    });
    const headers = await proven();
    assert.equal(await one.call(headers), 200);
    assert.equal(await two.call(headers), 401, 'the same proof at another gateway');
    assert.equal(await two.call(await proven()), 200);
    const raced = await proven();
    const statuses = await Promise.all([one.call(raced), two.call(raced), one.call(raced), two.call(raced)]);
    assert.deepEqual(statuses.sort(), [200, 401, 401, 401], 'at once: one of them');
    await redis.kill();
    assert.equal(await one.call(await proven()), 503);
    await redis.restart();
    await until(async () => assert.equal(await one.call(await proven()), 200), 10_000);
  });
});
