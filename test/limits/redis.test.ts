import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import {
  createLeases,
  createRedisCounters,
  type LimitDemand,
  type RedisCounters,
} from '../../src/limits/index.ts';
import { connectRedis, type RedisConnection } from '../../src/store/index.ts';
import { until } from '../gateway/support.ts';
import { isRedisInstalled, type RedisServer, startRedis } from '../support/redis/index.ts';
import { demandOf, limitOf } from './fixtures.ts';

const skip = !isRedisInstalled && 'no redis-server on this machine';

async function connection(url: string, isCluster = false): Promise<RedisConnection> {
  const redis = await connectRedis({
    url: new Secret(url),
    prefix: 'test:',
    isCluster,
    commandTimeoutMs: 1000,
    log: silentLog,
  });
  await until(() => assert.ok(redis.isReady())).catch(async (error: unknown) => {
    await redis.close();
    throw error;
  });
  return redis;
}

describe('counters in Redis', { skip }, () => {
  let server: RedisServer;
  let redis: RedisConnection;
  let counters: RedisCounters;
  let names = 0;
  before(async () => {
    server = await startRedis();
    redis = await connection(server.url);
    counters = createRedisCounters(redis);
  });
  after(async () => {
    await redis?.close();
    await server?.close();
  });

  const fresh = (count: number, periodMs: number, burst?: number, layer: LimitDemand['layer'] = 'client') =>
    demandOf(layer, `key-${names++}`, limitOf(count, periodMs, burst));
  const keyOf = ({ key }: LimitDemand) => `test:limits:${key}`;

  it('charge all layers or none, and name the slowest', async () => {
    const client = fresh(5, 3_600_000);
    const tool = fresh(2, 60_000, 2, 'tool');
    for (let i = 0; i < 2; i++) assert.equal((await counters.take([client, tool])).admitted, true);
    for (let i = 0; i < 5; i++) {
      const verdict = await counters.take([client, tool]);
      assert.ok(!verdict.admitted);
      assert.deepEqual([verdict.layer, verdict.limit, verdict.remaining], ['tool', 2, 0]);
      assert.ok(verdict.retryAfterMs > 20_000 && verdict.retryAfterMs <= 30_000);
    }
    const left = await counters.take([client]);
    assert.ok(left.admitted);
    assert.equal(left.tightest?.remaining, 2);
  });

  it('are one round trip', async () => {
    const layers = (['client', 'tool', 'organization'] as const).map((layer) =>
      fresh(100, 60_000, 100, layer),
    );
    await counters.take(layers);
    const calls = async () =>
      Number(/total_commands_processed:(\d+)/.exec(await server.command('INFO', 'stats'))?.[1]);
    const start = await calls();
    for (let i = 0; i < 50; i++) await counters.take(layers);
    // Redis counts what a script does too: TIME, and GET and SET of each of three keys. No command comes from here but EVALSHA.
    const spent = (await calls()) - start;
    assert.ok(spent <= 50 * 8 + 4, `${spent}`);
  });

  it('attack: of calls that race on 16 connections for the last one, exactly N pass', async () => {
    const demands = [fresh(20, 3_600_000), fresh(50, 3_600_000, 50, 'organization')];
    const connections = await Promise.all(Array.from({ length: 16 }, () => connection(server.url)));
    const verdicts = await Promise.all(
      connections.flatMap((one) => Array.from({ length: 25 }, () => createRedisCounters(one).take(demands))),
    );
    await Promise.all(connections.map((one) => one.close()));
    assert.equal(verdicts.filter(({ admitted }) => admitted).length, 20);
  });

  it('announce a wait that is true', async () => {
    const demand = fresh(2, 1000);
    let earliest = performance.now();
    let refused = await counters.take([demand]);
    while (refused.admitted) {
      earliest = performance.now();
      refused = await counters.take([demand]);
    }
    const latest = performance.now();
    let tries = 0;
    for (;;) {
      const asked = performance.now() - latest;
      const verdict = await counters.take([demand]);
      const answered = performance.now() - earliest;
      if (verdict.admitted) {
        assert.ok(answered >= refused.retryAfterMs - 2, `${answered} of ${refused.retryAfterMs}`);
        break;
      }
      assert.ok(asked <= refused.retryAfterMs, `${asked} of ${refused.retryAfterMs}`);
      tries += 1;
    }
    assert.ok(tries > 0);
  });

  it('attack: wrong types and wrong numbers in a key neither open it nor block it for ever', async () => {
    for (const planted of [
      'LIST',
      'HASH',
      'nan',
      'inf',
      '-inf',
      '1e308',
      'text',
      '',
      '0x7fffffffffffffff',
      '-5',
    ]) {
      const demand = fresh(10, 1000, 2);
      const key = keyOf(demand);
      if (planted === 'LIST') await server.command('RPUSH', key, 'a');
      else if (planted === 'HASH') await server.command('HSET', key, 'a', 'b');
      else await server.command('SET', key, planted);
      let passed = 0;
      for (let i = 0; i < 5; i++) if ((await counters.take([demand])).admitted) passed += 1;
      assert.ok(passed <= 2, `${planted}: ${passed} passed`);
      await until(async () => assert.equal((await counters.take([demand])).admitted, true, planted), 2000);
      assert.match(await server.command('TYPE', key), /string/);
      assert.match(await server.command('PTTL', key), /:\d+/);
    }
  });

  it('let go of themselves when they are as good as new', async () => {
    const demand = fresh(100, 1000);
    await counters.take([demand]);
    assert.match(await server.command('EXISTS', keyOf(demand)), /:1/);
    await until(async () => assert.match(await server.command('EXISTS', keyOf(demand)), /:0/), 4000);
  });

  it('survive that the server forgets its scripts', async () => {
    const demand = fresh(3, 3_600_000);
    await counters.take([demand]);
    await server.command('SCRIPT', 'FLUSH');
    const verdicts = await Promise.all(Array.from({ length: 10 }, () => counters.take([demand])));
    assert.equal(verdicts.filter(({ admitted }) => admitted).length, 2);
  });

  it('leases never pay for more than the limit, and low limits are exact', async (t) => {
    const limit = limitOf(200, 3_600_000);
    const shared = demandOf('client', `key-${names++}`, limit);
    const low = demandOf('tool', `key-${names++}`, limitOf(30, 3_600_000));
    const gateways = [1, 2].map(() => createLeases(counters, { most: 100, clock: systemClock }));
    t.after(() => gateways.map((gateway) => gateway.close()));
    const passed = async (demands: LimitDemand[], calls: number): Promise<number> => {
      const verdicts = await Promise.all(
        Array.from({ length: calls }, (_, i) => gateways[i % 2]?.admit(demands, performance.now())),
      );
      return verdicts.filter((verdict) => verdict?.admitted).length;
    };
    assert.equal(await passed([low], 100), 30);
    let total = 0;
    for (let round = 0; round < 10; round++) total += await passed([shared], 50);
    // A lease holds a twentieth of 200 at most: what the two may miss.
    assert.ok(total <= 200 && total >= 200 - 2 * 10, `${total}`);
    const rest = () => passed([shared], 20);
    await until(async () => {
      total += await rest();
      assert.equal(total, 200, 'what was held and not used comes back');
    }, 5000);
  });

  it('a clock that the server sets back delays by one burst at most', async () => {
    const demand = fresh(10, 1000);
    await server.command('SET', keyOf(demand), String((Date.now() + 86_400_000) * 1000));
    const verdict = await counters.take([demand]);
    assert.ok(!verdict.admitted && verdict.retryAfterMs <= 100);
    await until(async () => assert.equal((await counters.take([demand])).admitted, true), 1000);
  });
});

describe('counters in a Redis Cluster', { skip }, () => {
  let server: RedisServer;
  let redis: RedisConnection;
  before(async () => {
    server = await startRedis(['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']);
    await server.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await until(async () => assert.match(await server.command('CLUSTER', 'INFO'), /cluster_state:ok/), 8000);
    redis = await connection(server.url, true);
  });
  after(async () => {
    await redis?.close();
    await server?.close();
  });

  it('of one organization lie together; what all share is given back when the rest refuses', async () => {
    const counters = createRedisCounters(redis);
    const own = { ...demandOf('client', 'a', limitOf(2, 3_600_000)), partition: 'acme' };
    const organization = { ...demandOf('organization', 'o', limitOf(100, 3_600_000)), partition: 'acme' };
    const total = { ...demandOf('tool_total', 't', limitOf(5, 3_600_000)), partition: 'total' };
    const demands = [own, total, organization];
    for (let i = 0; i < 2; i++) assert.equal((await counters.take(demands)).admitted, true);
    for (let i = 0; i < 10; i++) {
      const refused = await counters.take(demands);
      assert.ok(!refused.admitted && refused.layer === 'client');
    }
    let left = 0;
    while ((await counters.take([total])).admitted) left += 1;
    assert.equal(left, 3);
  });
});
