import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../../src/protocol/index.ts';
import {
  fixture,
  legacyClient,
  modernClient,
  paramsOf,
  type Received,
  type TestClient,
  upstreamFor,
} from './harness.ts';

const { upstream } = upstreamFor(fixture('raw'), { protocol: 'legacy', isolation: 'principal' });
after(() => upstream.close());

const textOf = (received: Received) => {
  const [first] = received.result['content'] as JsonObject[];
  return JSON.parse(String(first?.['text'])) as JsonObject;
};
const pidOf = async (client: TestClient) => textOf(await client.call('pid').done)['pid'];
const answerTo = (client: TestClient, question: JsonObject | undefined, members: JsonObject) =>
  client.raw(JSON.stringify({ jsonrpc: '2.0', id: question?.['id'] ?? null, ...members }));
const capabilities = { elicitation: {}, roots: { listChanged: true }, tasks: {} };

test('each principal has a child of its own, and the gateway too', async () => {
  await upstream.start();
  const pids = await Promise.all([
    pidOf(modernClient(upstream)),
    pidOf(modernClient(upstream, 'a')),
    pidOf(modernClient(upstream, 'b')),
    pidOf(await legacyClient(upstream, { principalKey: 'c' })),
  ]);
  assert.equal(new Set(pids).size, 4);
  assert.equal(await pidOf(await legacyClient(upstream, { principalKey: 'a' })), pids[1]);
  assert.equal(upstream.statistics().processes, 4);
});

test('the child is told what the client that starts it can do', async () => {
  const client = await legacyClient(upstream, { principalKey: 'can', capabilities });
  const initialize = textOf(await client.call('initialize').done);
  assert.deepEqual(initialize['capabilities'], { elicitation: {}, roots: { listChanged: true } });
});

test('a request of the child comes on the stream of the one call, with an id of the gateway', async () => {
  const client = await legacyClient(upstream, { principalKey: 'ask', capabilities });
  const call = client.call('ask', { id: 7 }, 'call');
  await call.until(({ events }) => events.length === 1);
  const [question] = call.events;
  assert.equal(question?.['method'], 'elicitation/create');
  assert.notEqual(question?.['id'], 7);
  const stranger = await legacyClient(upstream, { principalKey: 'stranger', capabilities });
  const sibling = await legacyClient(upstream, { principalKey: 'ask', capabilities });
  for (const other of [stranger, sibling]) {
    assert.equal((await answerTo(other, question, { result: { forged: true } }).done).head?.status, 202);
  }
  await answerTo(client, question, { result: { action: 'accept', n: 1 } }).done;
  await call.done;
  assert.deepEqual(textOf(call), { action: 'accept', n: 1 });
  assert.equal(upstream.statistics().serverRequests, 0);
});

test('with several calls in flight it comes on the stream of the session', async () => {
  const client = await legacyClient(upstream, { principalKey: 'two', capabilities });
  const hanging = client.call('hang');
  const stream = client.raw(null, { httpMethod: 'GET' });
  const call = client.call('ask');
  await stream.until(({ events }) => events.length === 1);
  await answerTo(client, stream.events[0], { error: { code: -1, message: 'no' } }).done;
  await call.done;
  assert.deepEqual(textOf(call), { code: -1, message: 'no' });
  assert.equal(call.head?.contentType, 'application/json');
  hanging.exchange?.abort();
  stream.exchange?.abort();
});

test('a request that no client can answer is refused at once', async () => {
  const modern = await modernClient(upstream, 'modern').call('ask').done;
  assert.equal(textOf(modern)['code'], -32601);
  const client = await legacyClient(upstream, { principalKey: 'modern', capabilities: { roots: {} } });
  assert.equal(textOf(await client.call('ask').done)['code'], -32601);
});

test('a client that does not answer lets the child go on', async () => {
  const own = upstreamFor(fixture('raw'), {
    protocol: 'legacy',
    isolation: 'principal',
    requestTimeoutMs: 300,
    limits: { clientAnswerTimeoutMs: 700 },
  });
  try {
    while ((await modernClient(own.upstream, 'p').call('echo').done).failure) {
      // the child may start more slowly than a call may take
    }
    const client = await legacyClient(own.upstream, { principalKey: 'p', capabilities });
    const call = await client.call('ask').done;
    assert.equal(call.failure, null, 'a person may take longer than a call');
    assert.equal(textOf(call)['code'], -32001);
  } finally {
    await own.upstream.close();
  }
});

test('a question that the child withdraws is withdrawn at the client', async () => {
  const client = await legacyClient(upstream, { principalKey: 'withdraw', capabilities });
  const stream = client.raw(null, { httpMethod: 'GET' });
  const call = client.call('ask', { withdraw: true });
  await stream.until(({ events }) => events.length === 1);
  const [cancelled] = stream.events;
  assert.equal(cancelled?.['method'], 'notifications/cancelled');
  assert.equal(paramsOf(cancelled)['requestId'], call.events[0]?.['id']);
  call.exchange?.abort();
  stream.exchange?.abort();
});

test('the log of a child reaches its own principal alone', async () => {
  const [a, b] = [
    await legacyClient(upstream, { principalKey: 'a' }),
    await legacyClient(upstream, { principalKey: 'b' }),
  ];
  const other = b.raw(null, { httpMethod: 'GET' });
  const call = await a.call('log', { data: 'private' }).done;
  assert.equal(paramsOf(call.events[0])['data'], 'private');
  assert.equal(other.body.includes('private'), false);
  const quiet = await modernClient(upstream, 'c').call('log', { data: 'x' }).done;
  assert.equal(quiet.head?.contentType, 'application/json', 'a modern client gets what it asked for');
  const meta = { 'io.modelcontextprotocol/logLevel': 'info' };
  const wanted = await modernClient(upstream, 'c').send('tools/call', {
    name: 'log',
    arguments: { data: 'y' },
    _meta: meta,
  }).done;
  assert.equal(wanted.events.length, 2);
  other.exchange?.abort();
});

test('children are bounded: the longest idle one makes room, busy ones stay', async () => {
  const small = upstreamFor(fixture('raw'), {
    protocol: 'legacy',
    isolation: 'principal',
    limits: { processes: 2, processIdleMs: 300, sweepMs: 50 },
  });
  try {
    const [a, b, c] = ['a', 'b', 'c'].map((key) => modernClient(small.upstream, key));
    assert.ok(a && b && c);
    const first = await pidOf(a);
    const hanging = b.call('hang');
    await b.call('echo').done;
    await pidOf(c);
    const refused = await a.call('pid').done.then((received) => received);
    // a made room for c; c is idle now and makes room for a
    assert.notEqual(textOf(refused)['pid'], first);
    const second = a.call('hang');
    await a.call('echo').done;
    const full = await c.call('echo').done;
    assert.equal(full.failure?.code, 'upstream_unavailable');
    for (const call of [hanging, second]) call.exchange?.abort();
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(small.upstream.statistics().processes, 0, 'idle children are stopped');
    assert.ok(await pidOf(a), 'and started again');
  } finally {
    await small.upstream.close();
  }
});

test('idle children of the modern era are stopped too; a stream keeps its child', async () => {
  const own = upstreamFor(fixture('modern'), {
    isolation: 'principal',
    limits: { processIdleMs: 200, sweepMs: 50 },
  });
  const legacy = upstreamFor(fixture('raw'), {
    protocol: 'legacy',
    isolation: 'principal',
    limits: { processIdleMs: 200, sweepMs: 50 },
  });
  try {
    await modernClient(own.upstream, 'a').call('echo').done;
    const notifications = { toolsListChanged: true };
    const listens = [own, legacy].map(({ upstream }) =>
      modernClient(upstream, 'b').send('subscriptions/listen', { notifications }),
    );
    for (const listen of listens) await listen.until(({ events }) => events.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 900));
    assert.equal(own.upstream.statistics().processes, 1);
    assert.equal(legacy.upstream.statistics().processes, 1);
    for (const listen of listens) listen.exchange?.abort();
    await new Promise((resolve) => setTimeout(resolve, 900));
    assert.equal(own.upstream.statistics().processes + legacy.upstream.statistics().processes, 0);
  } finally {
    await own.upstream.close();
    await legacy.upstream.close();
  }
});
