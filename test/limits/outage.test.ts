import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { until } from '../gateway/support.ts';
import { isRedisInstalled, type RedisServer, startRedis } from '../support/redis/index.ts';
import { type Fleet, type Member, startFleet, storm } from './fleet.ts';

const skip = !isRedisInstalled && 'no redis-server on this machine';

describe('two gateways on one Redis', { skip }, () => {
  let server: RedisServer | undefined;
  let fleet: Fleet | undefined;
  after(async () => {
    await fleet?.close();
    await server?.close();
  });

  /** How often the first gateway's trail tells of an event. */
  const outages = (name: string): number => {
    const db = new DatabaseSync(join(fleet?.directory ?? '', 'one', 'audit.db'), { readOnly: true });
    try {
      const rows = db.prepare('SELECT entry FROM records WHERE instr(entry, :name) > 0').all({ name });
      return rows.filter(({ entry }) => JSON.parse(String(entry)).event === name).length;
    } finally {
      db.close();
    }
  };

  it('share every limit, and each outage goes as configured', async () => {
    server = await startRedis();
    fleet = await startFleet(
      [
        'redis: { url: { env: REDIS_URL }, commandTimeout: 500ms }',
        'limits: { client: 40/h, concurrent: { client: 100 } }',
        'tools: [{ match: "delete_*", scope: mcp:tools:write }, { match: "*", scope: mcp:tools:read }]',
      ].join('\n'),
      { REDIS_URL: server.url },
    );
    const members = [await fleet.start('one'), await fleet.start('two')];
    const [one] = members as [Member, Member];

    // Exactly N over 16 connections and two processes.
    const racing = await storm(members, await fleet.token({ sub: 'racer' }), { connections: 16, each: 5 });
    assert.deepEqual([racing.get(200), racing.get(429)], [40, 40]);

    // Paused: calls that may go on do, on counters of the process; those that may destroy do not.
    const token = await fleet.token({ sub: 'other' });
    assert.equal((await one.call(token)).status, 200);
    server.pause();
    const paused = await storm([one], token, { connections: 8, each: 1 });
    assert.equal(paused.get(200), 8);
    await until(() => assert.equal(outages('limits.store_down'), 1), 8000);
    const refused = await one.destroy(token);
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    server.resume();
    await until(() => assert.equal(outages('limits.store_recovered'), 1), 8000);
    assert.notEqual((await one.destroy(token)).status, 503);

    // Killed under load and started anew, empty: what this process admitted before is not given back.
    const spender = await fleet.token({ sub: 'spender' });
    assert.equal((await storm([one], spender, { connections: 4, each: 5 })).get(200), 20);
    const load = storm([one], spender, { connections: 4, each: 10 });
    await server.kill();
    const during = await load;
    assert.equal(during.get(200) ?? 0, 20);
    await until(() => assert.equal(outages('limits.store_down'), 2), 8000);
    await server.restart();
    await until(() => assert.equal(outages('limits.store_recovered'), 2), 8000);
    assert.equal((await one.call(spender)).status, 429);
  });
});
