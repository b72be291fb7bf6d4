import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { run } from '../cli/support/run.ts';
import { callTool, startTestGateway, type TestGateway, until } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { isRedisInstalled, type RedisServer, startRedis } from '../support/redis/index.ts';

const skip = !isRedisInstalled && 'no redis-server on this machine';

describe('the kill switch of gateways that share a Redis', { skip }, () => {
  let upstream: FixtureServer;
  let redis: RedisServer;

  before(async () => {
    upstream = await startFixtureServer({ port: 0 });
    redis = await startRedis();
  });
  after(async () => {
    await redis.close();
    await upstream.close();
  });

  async function replica(t: TestContext): Promise<TestGateway> {
    const gateway = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      rest: 'redis: { url: { env: REDIS_URL } }',
      environment: { REDIS_URL: redis.url },
    });
    t.after(() => gateway.close());
    return gateway;
  }

  const isStopped = async (gateway: TestGateway): Promise<boolean> => {
    const token = await gateway.token('mcp:tools:read');
    const answer = await callTool(gateway.url, token, 'echo', { text: 'x' });
    return (await answer.text()).includes('"stopped"');
  };
  const both = (gateways: TestGateway[], expected: boolean, withinMs?: number) =>
    until(async () => {
      for (const gateway of gateways) assert.equal(await isStopped(gateway), expected);
    }, withinMs);

  it('is thrown on one machine and holds on all, over the death of Redis and of what it knew', async (t) => {
    const gateways = [await replica(t), await replica(t)];
    const [one, two] = gateways as [TestGateway, TestGateway];
    const typed = (gateway: TestGateway, ...words: string[]) =>
      run([...words, '--json', '--data', gateway.dataDir], { cwd: gateway.dataDir });
    assert.equal((await typed(one, 'stop', 'tool', 'echo')).code, 0);
    await both(gateways, true, 1500);
    await redis.kill();
    assert.ok(await isStopped(one));
    assert.ok(await isStopped(two), 'what it knew last holds');
    const third = await typed(two, 'stop', 'list');
    assert.equal(JSON.parse(third.stdout).stops.length, 1, 'it is in every data directory');
    await redis.restart();
    await until(async () => assert.equal(await redis.command('EXISTS', 'portcullis:stops'), ':1\r\n'), 8000);
    assert.ok(await isStopped(await replica(t)), 'a new one knows at its first call');
    assert.equal((await typed(two, 'resume', 'tool', 'echo')).code, 0);
    await both(gateways, false, 8000);
  });

  it('is thrown while Redis hangs, and told about: the others follow when it answers', async (t) => {
    const gateways = [await replica(t), await replica(t)];
    const [one] = gateways as [TestGateway];
    redis.pause();
    const where = { cwd: one.dataDir, env: { REDIS_URL: redis.url } };
    const typed = await run(['stop', 'tool', 'ech*', '--json', '--config', one.configFile], where);
    assert.match(JSON.parse(typed.stdout).warnings.join(), /Redis was not asked: it does not answer/);
    await both([one], true, 1500);
    redis.resume();
    await both(gateways, true, 8000);
    const resumed = await run(['resume', 'tool', 'ech*', '--json', '--config', one.configFile], where);
    assert.deepEqual(JSON.parse(resumed.stdout).warnings, []);
    await both(gateways, false, 8000);
  });

  it('takes what cannot be read for damage and not for nothing, and still follows the rest', async (t) => {
    const gateway = await replica(t);
    await redis.command('HSET', 'portcullis:stops', 'broken', '{"kind":');
    await redis.command('HINCRBY', 'portcullis:stops', 'version', '1');
    const where = { cwd: gateway.dataDir, env: { REDIS_URL: redis.url } };
    assert.equal((await run(['stop', 'server', 'notes', '--config', gateway.configFile], where)).code, 0);
    await both([gateway], true, 1500);
    await run(['resume', 'server', 'notes', '--config', gateway.configFile], where);
    await redis.command('HDEL', 'portcullis:stops', 'broken');
  });
});
