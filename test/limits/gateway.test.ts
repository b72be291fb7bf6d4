import assert from 'node:assert/strict';
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
import { startFixtureServer } from '../support/fixture-server/index.ts';

const open: { close(): Promise<void> }[] = [];
after(async () => {
  for (const one of open.reverse()) await one.close();
});

/** A gateway whose time stands still until the test moves it. */
async function start(rest: string): Promise<TestGateway & { pass(ms: number): void; received(): number }> {
  const upstream = await startFixtureServer();
  let ahead = 0;
  const clock: Clock = { now: systemClock.now, monotonic: () => 1_000_000 + ahead };
  const test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest,
    clock,
  });
  open.push(upstream, test);
  const received = () => upstream.requests.filter(({ headers }) => headers['mcp-name'] === 'echo').length;
  return Object.assign(test, {
    received,
    pass: (ms: number) => {
      ahead += ms;
    },
  });
}

const echo = (test: TestGateway, token: string, text = 'x') => callTool(test.url, token, 'echo', { text });

async function statuses(count: number, call: (index: number) => Promise<Response>): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < count; index++) found.push((await call(index)).status);
  return found;
}

describe('a limit for a day beside one for a minute', () => {
  it('hold together, and the longer wait is told', async () => {
    const test = await start('limits: { client: "2/min and 3/day" }');
    const token = await test.token(allScopes);
    assert.deepEqual(await statuses(3, () => echo(test, token)), [200, 200, 429]);
    test.pass(30_000);
    const last = await echo(test, token);
    assert.equal(last.status, 200);
    assert.equal(last.headers.get('ratelimit-policy'), '"client-minute";q=2;w=60, "client-day";q=3;w=86400');
    test.pass(60_000);
    const refused = await echo(test, token);
    assert.equal(refused.status, 429);
    // The first of three a day came back after 8 hours, 90 s of which are over.
    const wait = 28_800_000 - 90_000;
    const { error } = await rpc(refused);
    assert.deepEqual(error?.data, {
      reason: 'limit_client',
      layer: 'client',
      retryAfterMs: wait,
      limit: 3,
      remaining: 0,
    });
    assert.equal(refused.headers.get('retry-after'), String(wait / 1000));
    assert.equal(refused.headers.get('ratelimit'), `"client-day";r=0;t=${wait / 1000}`);
    test.pass(wait - 1);
    assert.equal((await echo(test, token)).status, 429);
    test.pass(1);
    assert.equal((await echo(test, token)).status, 200);
  });
});

describe('a total of a tool', () => {
  it('holds for all callers together, beside what each may', async () => {
    const test = await start(
      'tools: [{ match: "echo", scope: mcp:tools:read, limit: { each: 2/min, total: 3/min } }]',
    );
    const [alice, bob, eve] = await Promise.all(
      ['alice', 'bob', 'eve'].map((sub) => test.token(allScopes, { sub, org: sub })),
    );
    assert.deepEqual(await statuses(3, () => echo(test, alice ?? '')), [200, 200, 429]);
    assert.deepEqual(await statuses(1, () => echo(test, bob ?? '')), [200]);
    const refused = await echo(test, eve ?? '');
    assert.equal(refused.status, 429);
    assert.equal((await rpc(refused)).error?.data?.['layer'], 'tool_total');
    assert.equal(refused.headers.get('ratelimit'), '"tool-total";r=0;t=20');
    assert.equal(test.received(), 3);
  });
});

describe('what an answer says of limits', () => {
  it('is the tightest of the own ceilings, and nothing of what others do', async () => {
    const test = await start(
      'limits: { client: 100/min, organization: 50/min }\ntools: [{ match: "echo", scope: mcp:tools:read, limit: { each: 10/min burst 5, total: 20/min } }, { match: "*", scope: mcp:tools:read }]',
    );
    const token = await test.token(allScopes);
    const answer = await echo(test, token);
    assert.equal(answer.status, 200);
    assert.equal(
      answer.headers.get('ratelimit-policy'),
      '"client";q=100;w=60, "tool";q=10;w=60;portcullis-burst=5',
    );
    assert.equal(answer.headers.get('ratelimit'), '"tool";r=4;t=6');
    assert.equal(answer.headers.get('retry-after'), null);
    const listed = await modernCall(test.url, token, { method: 'tools/list' });
    assert.equal(listed.headers.get('ratelimit'), '"client";r=98;t=1');
    const stranger = await echo(test, 'no.token.atall');
    assert.deepEqual([stranger.status, stranger.headers.get('ratelimit')], [401, null]);
  });

  it('counts down to the refusal', async () => {
    const test = await start('limits: { client: 4/min }');
    const token = await test.token(allScopes);
    const left: (string | null)[] = [];
    for (let i = 0; i < 5; i++) left.push((await echo(test, token)).headers.get('ratelimit'));
    assert.deepEqual(
      left,
      ['3', '2', '1', '0', '0'].map((r) => `"client";r=${r};t=15`),
    );
  });
});

describe('loops', () => {
  const rest = 'limits: { loop: { identical: 5, within: 60s } }';

  it('end: the model reads why, and other calls go on', async () => {
    const test = await start(rest);
    const token = await test.token(allScopes);
    assert.deepEqual(await statuses(5, () => echo(test, token)), [200, 200, 200, 200, 200]);
    test.pass(10_000);
    const refused = await echo(test, token);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '50');
    const { error } = await rpc(refused);
    assert.match(error?.message ?? '', /same call with the same arguments.*Do not repeat it/);
    assert.deepEqual(error?.data, {
      reason: 'limit_loop',
      layer: 'loop',
      retryAfterMs: 50_000,
      limit: 5,
      remaining: 0,
    });
    assert.equal(test.received(), 5);
    assert.equal((await echo(test, token, 'other')).status, 200);
    assert.equal((await echo(test, await test.token(allScopes, { sub: 'other' }))).status, 200);
    test.pass(49_999);
    assert.equal((await echo(test, token)).status, 429);
    test.pass(1);
    assert.equal((await echo(test, token)).status, 200);
  });

  it('attack: another order of keys, another token and another client are the same call', async () => {
    const test = await start(rest);
    const refused: number[] = [];
    for (let i = 0; i < 8; i++) {
      const token = await test.token(allScopes, { client_id: `client-${i}` });
      const given = i % 2 === 0 ? { text: 'x', more: { a: 1, b: 2 } } : { more: { b: 2, a: 1 }, text: 'x' };
      refused.push((await callTool(test.url, token, 'echo', given)).status);
    }
    assert.deepEqual(refused.slice(5), [429, 429, 429]);
  });

  it('attack: parallel calls do not slip through', async () => {
    const test = await start(rest);
    const token = await test.token(allScopes);
    const found = await Promise.all(Array.from({ length: 16 }, () => echo(test, token)));
    assert.equal(found.filter(({ status }) => status === 200).length, 5);
  });

  it('count what passed: a call that another limit refuses takes no place', async () => {
    const test = await start('limits: { client: 3/min, loop: { identical: 4, within: 60s } }');
    const token = await test.token(allScopes);
    assert.deepEqual(await statuses(6, () => echo(test, token)), [200, 200, 200, 429, 429, 429]);
    test.pass(20_000);
    assert.equal((await echo(test, token)).status, 200);
    test.pass(20_000);
    assert.equal((await rpc(await echo(test, token))).error?.data?.['layer'], 'loop');
  });
});

describe('who hammers', () => {
  it('is held back a little longer, by a wait that is true', async () => {
    const test = await start('limits: { client: 1000/min burst 1 }');
    const token = await test.token(allScopes);
    assert.equal((await echo(test, token)).status, 200);
    const wait = async () => {
      const refused = await echo(test, token);
      assert.equal(refused.status, 429);
      return Number((await rpc(refused)).error?.data?.['retryAfterMs']);
    };
    for (let i = 0; i < 200; i++) assert.equal(await wait(), 60, 'a client that is impatient pays nothing');
    let last = 0;
    for (let i = 0; i < 20; i++) last = await wait();
    assert.equal(last, 200);
    test.pass(last - 1);
    last = await wait();
    assert.ok(last > 1 && last <= 5000, `${last}`);
    test.pass(last - 1);
    assert.equal((await echo(test, await test.token(allScopes, { sub: 'other' }))).status, 200);
    last = await wait();
    test.pass(last);
    assert.equal((await echo(test, token)).status, 200);
    assert.equal(await wait(), 60, 'forgiven');
  });

  it('on one tool may go on with others', async () => {
    const test = await start(
      'tools: [{ match: "echo", scope: mcp:tools:read, limit: 1/min }, { match: "*", scope: mcp:tools:read }]',
    );
    const token = await test.token(allScopes);
    const found = await statuses(230, () => echo(test, token));
    assert.equal(found.filter((status) => status === 200).length, 1);
    assert.equal((await modernCall(test.url, token, { method: 'tools/list' })).status, 200);
    assert.equal((await callTool(test.url, token, 'slow_echo', {})).status !== 429, true);
  });
});

describe('one caller cannot starve another', () => {
  it('of calls, however hard it tries', async () => {
    const test = await start('limits: { client: 10/min, organization: 100/min }');
    const [greedy, modest] = await Promise.all([
      test.token(allScopes, { sub: 'greedy', org: 'acme' }),
      test.token(allScopes, { sub: 'modest', org: 'acme' }),
    ]);
    const hammering = Promise.all(
      Array.from({ length: 16 }, () => statuses(20, () => echo(test, greedy ?? ''))),
    );
    assert.deepEqual(await statuses(10, () => echo(test, modest ?? '')), new Array(10).fill(200));
    const found = (await hammering).flat();
    assert.equal(found.filter((status) => status === 200).length, 10);
  });
});
