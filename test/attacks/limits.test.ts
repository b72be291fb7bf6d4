import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, describe, it } from 'node:test';
import { type Clock, systemClock } from '../../src/base/index.ts';
import {
  allScopes,
  callTool,
  modernCall,
  rpc,
  startTestGateway,
  type TestGateway,
} from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { good, startHostileUpstream } from './hostile-upstream.ts';

const open: { close(): Promise<void> }[] = [];
after(async () => {
  for (const one of open.reverse()) await one.close();
});

async function start(
  rest: string,
  more: { clock?: Clock } = {},
): Promise<{ upstream: FixtureServer; test: TestGateway }> {
  const upstream = await startFixtureServer();
  open.push(upstream);
  const test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest,
    ...more,
  });
  open.push(test);
  return { upstream, test };
}

/** A request whose headers are as given; fetch would not send some of them. */
function statusOf(test: TestGateway, headers: Record<string, string | string[]>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(test.url, { method: 'POST', headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject).end('{}');
  });
}

describe('Retry-After', () => {
  it('is true: a call then is admitted, one a millisecond before is not', async () => {
    let ahead = 0;
    const clock: Clock = { now: systemClock.now, monotonic: () => Math.floor(frozen + ahead) };
    const frozen = 1_000_000;
    const { test } = await start('limits: { client: 3/min }', { clock });
    const token = await test.token(allScopes);
    const call = () => callTool(test.url, token, 'echo', { text: 'x' });
    for (let i = 0; i < 3; i++) assert.equal((await call()).status, 200);
    const refused = await call();
    assert.equal(refused.status, 429);
    const { error } = await rpc(refused);
    assert.equal(error?.code, -31429);
    assert.deepEqual(Object.keys(error?.data ?? {}).sort(), [
      'layer',
      'limit',
      'reason',
      'remaining',
      'retryAfterMs',
    ]);
    const wait = Number(error?.data?.['retryAfterMs']);
    assert.equal(refused.headers.get('retry-after'), String(Math.ceil(wait / 1000)));
    ahead = wait - 1;
    for (let i = 0; i < 5; i++) assert.equal((await call()).status, 429, 'one before');
    ahead = wait;
    assert.equal((await call()).status, 200, 'refused calls were charged, or the wait was not true');
    assert.equal((await call()).status, 429);
  });
});

describe('refused calls', () => {
  it('cost nothing of what admitted ones may take', async () => {
    const { test } = await start(
      'limits: { client: 3/min }\ntools: [{ match: "echo", scope: mcp:tools:read, limit: 2/min }, { match: "*", scope: mcp:tools:admin }]',
    );
    const token = await test.token('mcp:tools:read');
    for (let i = 0; i < 10; i++) {
      assert.equal((await callTool(test.url, token, 'write_note', {})).status, 403);
      assert.equal((await callTool(test.url, token, 'no_such_tool', {})).status, 200);
      assert.equal((await modernCall(test.url, token, { method: 'no/such' })).status, 404);
    }
    for (const status of [200, 200, 429, 429, 429]) {
      assert.equal((await callTool(test.url, token, 'echo', { text: 'x' })).status, status);
    }
    // The tool's refusals did not take the client's last place.
    assert.equal((await modernCall(test.url, token, { method: 'tools/list' })).status, 200);
    assert.equal((await modernCall(test.url, token, { method: 'tools/list' })).status, 429);
  });

  it('for want of a place say so, and give it when it is free', async () => {
    const upstream = await startHostileUpstream();
    open.push(upstream);
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      rest: 'limits: { client: 5/min, concurrent: { client: 1, upstream: 5 } }',
    });
    open.push(test);
    const token = await test.token(allScopes);
    const held: (() => void)[] = [];
    upstream.answer((exchange) => held.push(() => good(exchange)));
    const first = callTool(test.url, token, 'echo');
    while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    for (let i = 0; i < 6; i++) {
      const refused = await callTool(test.url, token, 'echo');
      assert.equal(refused.status, 429);
      const { error } = await rpc(refused);
      assert.deepEqual(
        [
          error?.data?.['layer'],
          error?.data?.['reason'],
          error?.data?.['limit'],
          refused.headers.get('retry-after'),
        ],
        ['concurrent_client', 'limit_concurrency', 1, '1'],
      );
    }
    held[0]?.();
    assert.equal((await first).status, 200);
    upstream.answer(good);
    for (let i = 0; i < 4; i++) assert.equal((await callTool(test.url, token, 'echo')).status, 200);
    assert.equal((await callTool(test.url, token, 'echo')).status, 429, 'a refused call was charged');
  });
});

describe('the flood guard', () => {
  it('is not led astray by forwarding headers of strangers', async () => {
    const { test } = await start('limits: { address: 20/min, addressFailures: 1000/min }');
    const statuses = new Map<number, number>();
    for (let i = 0; i < 40; i++) {
      const status = await statusOf(test, {
        'x-forwarded-for': `198.51.100.${i}`,
        forwarded: `for=198.51.100.${i}`,
        'x-real-ip': `198.51.100.${i}`,
        'true-client-ip': `198.51.100.${i}`,
        'cf-connecting-ip': `198.51.100.${i}`,
      });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    assert.deepEqual([...statuses].sort(), [
      [401, 20],
      [429, 20],
    ]);
    const records = await test.records();
    assert.deepEqual([...new Set(records.map(({ address }) => address))], ['127.0.0.1']);
    assert.equal(records.length, 40);
  });

  it('counts the hop that a trusted proxy vouches for, and no other', async () => {
    const { test } = await start(
      'limits: { address: 5/min, addressFailures: 1000/min }\ntrustedProxies: ["127.0.0.1/32", "10.0.0.0/8"]',
    );
    const from = (chain: string | string[]) =>
      statusOf(test, { 'x-forwarded-for': chain, 'content-type': 'application/json' });
    // The client writes the left side; the right-most address that no proxy of ours owns is its own.
    for (let i = 0; i < 5; i++) assert.equal(await from(`203.0.113.${i}, 198.51.100.7, 10.1.2.3`), 401);
    assert.equal(await from('9.9.9.9, 198.51.100.7, 10.1.2.3'), 429);
    assert.equal(await from(['9.9.9.9', '198.51.100.7', '10.9.9.9']), 429);
    assert.equal(await from('::ffff:198.51.100.7'), 429);
    assert.equal(await from('198.51.100.8'), 401);
    // What is no address: counted with the proxy itself.
    for (let i = 0; i < 5; i++) assert.equal(await from(`garbage-${i}`), 401);
    assert.equal(await from('unknown, garbage'), 429);
    assert.equal(await from('198.51.100.9:1234'), 429);
  });

  it('ends the guessing of tokens', async () => {
    const { test, upstream } = await start('limits: { address: 1000000/min, addressFailures: 50/min }');
    const statuses = new Map<number, number>();
    for (let i = 0; i < 300; i++) {
      const status = (await callTool(test.url, `a.${i}.c`, 'echo', {})).status;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    assert.ok((statuses.get(401) ?? 0) <= 51, JSON.stringify([...statuses]));
    assert.ok((statuses.get(429) ?? 0) >= 249);
    assert.equal(upstream.requests.filter(({ headers }) => headers['mcp-name'] === 'echo').length, 0);
  });
});
