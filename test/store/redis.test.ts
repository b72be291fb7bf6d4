import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { Secret, silentLog } from '../../src/base/index.ts';
import { connectRedis, type RedisConnection, redisScript } from '../../src/store/index.ts';
import { until } from '../gateway/support.ts';
import { isRedisInstalled, type RedisServer, startRedis } from '../support/redis/index.ts';

const skip = !isRedisInstalled && 'no redis-server on this machine';

describe('the connection to Redis', { skip }, () => {
  let server: RedisServer | undefined;
  after(() => server?.close());

  async function connected(t: TestContext, more: { password?: string } = {}): Promise<RedisConnection> {
    server ??= await startRedis();
    const url = new Secret(more.password ? server.url.replace('//', `//:${more.password}@`) : server.url);
    const redis = await connectRedis({
      url,
      prefix: 'test:',
      isCluster: false,
      commandTimeoutMs: 100,
      log: silentLog,
    });
    t.after(() => redis.close());
    await until(() => assert.ok(redis.isReady()));
    return redis;
  }

  it('runs a script by digest, also after the server forgot it', async (t) => {
    const redis = await connected(t);
    const script = redisScript('return {KEYS[1], ARGV[1]}');
    assert.deepEqual(await redis.run(script, ['k'], ['v']), ['k', 'v']);
    await server?.command('SCRIPT', 'FLUSH');
    const answers = await Promise.all([1, 2, 3].map((n) => redis.run(script, ['k'], [n])));
    assert.deepEqual(answers, [
      ['k', '1'],
      ['k', '2'],
      ['k', '3'],
    ]);
    await assert.rejects(redis.run(redisScript('return redis.call("nonsense")'), [], []));
  });

  it('fails within the time when the server hangs, and serves again when it goes on', async (t) => {
    const redis = await connected(t);
    server?.pause();
    const begun = performance.now();
    await assert.rejects(redis.call('PING'), /timed out/);
    const took = performance.now() - begun;
    server?.resume();
    assert.ok(took >= 95, `${took} ms: before its time`);
    await until(async () => assert.equal(await redis.call('PING'), 'PONG'));
  });

  it('fails at once while the server is away, sends nothing later, and comes back by itself', async (t) => {
    const redis = await connected(t);
    await server?.kill();
    await until(() => assert.equal(redis.isReady(), false));
    await assert.rejects(redis.call('SET', 'test:late', '1'));
    let times = 0;
    redis.onReady(() => {
      times += 1;
    });
    await server?.restart();
    await until(() => assert.ok(redis.isReady()), 8000);
    assert.equal(times, 1);
    assert.equal(await redis.call('GET', 'test:late'), null);
  });

  it('listens on, over a restart of the server', async (t) => {
    const redis = await connected(t);
    const heard: string[] = [];
    redis.subscribe('news', (message) => heard.push(message));
    const hears = (word: string) =>
      until(async () => {
        await redis.call('PUBLISH', 'test:news', word);
        assert.ok(heard.includes(word));
      }, 8000);
    await hears('one');
    await server?.restart();
    await hears('two');
  });

  it('is never ready for a wrong password, and says why without it', async (t) => {
    await connected(t);
    await server?.command('CONFIG', 'SET', 'requirepass', 'right');
    const said: string[] = [];
    const log = { ...silentLog, warn: (fields: object) => void said.push(JSON.stringify(fields)) };
    const url = new Secret(server?.url.replace('//', '//:wrong-password@') ?? '');
    const redis = await connectRedis({ url, prefix: '', isCluster: false, commandTimeoutMs: 100, log });
    t.after(() => redis.close());
    await until(() => assert.match(said.join(), /WRONGPASS|NOAUTH/));
    assert.equal(redis.isReady(), false);
    assert.doesNotMatch(said.join(), /wrong-password/);
    const right = await connected(t, { password: 'right' });
    await right.call('CONFIG', 'SET', 'requirepass', '');
  });
});
