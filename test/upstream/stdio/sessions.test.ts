import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../../src/protocol/index.ts';
import {
  fixture,
  legacyClient,
  modernClient,
  paramsOf,
  type Received,
  TestClient,
  upstreamFor,
} from './harness.ts';

const { upstream } = upstreamFor(fixture('raw'), { protocol: 'legacy' });
after(() => upstream.close());

const open = (client: TestClient, headers: Record<string, string> = {}) =>
  client.raw(null, { httpMethod: 'GET', headers });
const textOf = (received: Received) => {
  const [first] = received.result['content'] as JsonObject[];
  return JSON.parse(String(first?.['text'])) as unknown;
};
const idsOf = (received: Received) => [...received.body.matchAll(/^id: (\d+)$/gm)].map((match) => match[1]);

test('initialize is answered in the revision that was asked for, or the latest', async () => {
  for (const [asked, given] of [
    ['2025-03-26', '2025-03-26'],
    ['2025-06-18', '2025-06-18'],
    ['2024-11-05', '2025-11-25'],
    ['2026-07-28', '2025-11-25'],
    [1, '2025-11-25'],
  ] as const) {
    const answer = await new TestClient(upstream, 'legacy').send('initialize', {
      protocolVersion: asked,
      capabilities: {},
    }).done;
    assert.equal(answer.result['protocolVersion'], given);
    assert.deepEqual(answer.result['serverInfo'], { name: 'raw', version: '1' });
    assert.equal(answer.result['instructions'], 'be nice');
    const capabilities = answer.result['capabilities'] as JsonObject;
    assert.deepEqual(Object.keys(capabilities).sort(), ['resources', 'tools']);
    assert.match(answer.head?.session ?? '', /^[\w-]{43}$/);
  }
});

test('the child hears one initialize, without capabilities of clients', async () => {
  const client = await legacyClient(upstream, { capabilities: { sampling: {}, elicitation: {} } });
  const lines = textOf(await client.call('lines').done) as string[];
  assert.equal(lines.filter((line) => line.includes('"initialize"')).length, 1);
  const initialize = textOf(await client.call('initialize').done) as JsonObject;
  assert.deepEqual(initialize['capabilities'], {});
});

test('unknown sessions, ended ones and those of others are alike', async () => {
  const client = await legacyClient(upstream, { principalKey: 'owner' });
  const { session } = client.options;
  const stranger = new TestClient(upstream, 'legacy', { principalKey: 'stranger', session: session ?? null });
  const invented = new TestClient(upstream, 'legacy', { principalKey: 'owner', session: 'invented' });
  const bodies = new Set<string>();
  for (const other of [stranger, invented]) {
    for (const httpMethod of ['GET', 'DELETE'] as const) {
      const answer = await other.raw(null, { httpMethod }).done;
      assert.equal(answer.head?.status, 404);
      bodies.add(answer.body);
    }
    const answer = await other.send('tools/list', {}, 'x').done;
    assert.equal(answer.head?.status, 404);
    assert.equal(answer.json['id'], 'x');
  }
  assert.equal(bodies.size, 1);
  assert.equal((await client.send('ping').done).head?.status, 200, 'the session itself is alive');
  assert.equal((await client.raw(null, { httpMethod: 'DELETE' }).done).head?.status, 204);
  assert.equal((await client.send('ping').done).head?.status, 404);
  const none = await new TestClient(upstream, 'legacy').send('tools/list').done;
  assert.equal(none.head?.status, 400);
});

test('a session stream delivers changes, is replaced by a second one, and resumes', async () => {
  const client = await legacyClient(upstream);
  const first = open(client);
  assert.equal(first.head?.contentType, 'text/event-stream');
  await client.call('changed').done;
  await first.until(({ events }) => events.length === 1);
  const second = open(client);
  await first.done;
  await new Promise((resolve) => setTimeout(resolve, 150));
  await client.call('changed').done;
  await second.until(({ events }) => events.length === 1);
  second.exchange?.abort();
  await new Promise((resolve) => setTimeout(resolve, 150));
  await client.call('changed').done;
  const [seen] = idsOf(first);
  const third = open(client, { 'last-event-id': seen ?? '' });
  await third.until(({ events }) => events.length === 2);
  assert.deepEqual(idsOf(third), [2, 3].map(String));
  third.exchange?.abort();
  const hostile = open(client, { 'last-event-id': '-1; DROP' });
  assert.deepEqual(hostile.events, []);
  hostile.exchange?.abort();
});

test('a child that announces changes without end does not flood the sessions', async () => {
  const client = await legacyClient(upstream);
  const stream = open(client);
  await new Promise((resolve) => setTimeout(resolve, 150));
  let changes = 0;
  upstream.onToolsChanged(() => {
    changes += 1;
  });
  await client.call('changed', { times: 500 }).done;
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.ok(stream.events.length >= 1 && stream.events.length <= 3, String(stream.events.length));
  assert.ok(changes <= 3);
  stream.exchange?.abort();
});

test('resource subscriptions are counted, and updates go to subscribers alone', async () => {
  const [a, b, c] = [
    await legacyClient(upstream),
    await legacyClient(upstream),
    await legacyClient(upstream),
  ];
  const streams = [a, b, c].map((client) => open(client));
  const listen = modernClient(upstream).send(
    'subscriptions/listen',
    {
      notifications: { resourceSubscriptions: ['r:/x', 'no'], toolsListChanged: false },
    },
    'L',
  );
  for (const client of [a, b])
    assert.deepEqual((await client.send('resources/subscribe', { uri: 'r:/x' }).done).result, {});
  await listen.until(({ events }) => events.length === 1);
  assert.deepEqual(paramsOf(listen.events[0])['notifications'], {
    resourceSubscriptions: ['r:/x'],
  });
  assert.equal((await a.send('resources/subscribe', { uri: 'no' }).done).errorCode, -32002);
  const told = async () => textOf(await c.call('subscriptions').done) as string[];
  assert.deepEqual(await told(), ['+r:/x', '+no', '+no']);
  await c.call('updated', { uri: 'r:/x' }).done;
  await c.call('updated', { uri: 'r:/x/part' }).done;
  await c.call('updated', { uri: 'r:/xy' }).done;
  await streams[0]?.until(({ events }) => events.length === 2);
  await streams[1]?.until(({ events }) => events.length === 2);
  await listen.until(({ events }) => events.length === 3);
  assert.equal(streams[2]?.events.length, 0);
  assert.deepEqual((await a.send('resources/unsubscribe', { uri: 'r:/x' }).done).result, {});
  assert.equal((await told()).includes('-r:/x'), false);
  await b.raw(null, { httpMethod: 'DELETE' }).done;
  assert.equal((await told()).includes('-r:/x'), false);
  listen.exchange?.abort();
  assert.equal((await told()).at(-1), '-r:/x');
  for (const stream of streams) stream.exchange?.abort();
});

test('sessions are bounded for each principal and in time', async () => {
  const small = upstreamFor(fixture('raw'), {
    protocol: 'legacy',
    limits: { sessionsPerPrincipal: 3, sessions: 5, sessionIdleMs: 300, sweepMs: 50 },
  });
  try {
    const first = await legacyClient(small.upstream, { principalKey: 'a' });
    const other = await legacyClient(small.upstream, { principalKey: 'b' });
    for (let index = 0; index < 3; index += 1) await legacyClient(small.upstream, { principalKey: 'a' });
    assert.equal((await first.send('ping').done).head?.status, 404, 'the longest idle one made room');
    assert.equal((await other.send('ping').done).head?.status, 200, 'but not that of somebody else');
    for (const principalKey of ['c', 'd', 'e']) await legacyClient(small.upstream, { principalKey });
    assert.equal(small.upstream.statistics().sessions, 5);
    const stream = open(other);
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal(
      small.upstream.statistics().sessions,
      other.upstream === small.upstream && !stream.ended ? 1 : 0,
    );
  } finally {
    await small.upstream.close();
  }
});

test('what would change a shared child for everybody is kept from it', async () => {
  const client = await legacyClient(upstream);
  assert.deepEqual((await client.send('logging/setLevel', { level: 'debug' }).done).result, {});
  for (const method of [
    'notifications/roots/list_changed',
    'notifications/anything',
    'notifications/initialized',
  ]) {
    assert.equal((await client.notify(method).done).head?.status, 202);
  }
  assert.equal((await client.send('tasks/list').done).errorCode, -32601);
  const task = { name: 'echo', arguments: { mark: 't' }, task: { ttl: 1 } };
  await client.send('tools/call', task).done;
  const lines = textOf(await client.call('lines').done) as string[];
  for (const word of ['setLevel', 'roots', 'anything', 'tasks/', '"task"']) {
    assert.equal(
      lines.some((line) => line.includes(word)),
      false,
      word,
    );
  }
  assert.equal(lines.filter((line) => line.includes('notifications/initialized')).length, 1);
});

test('a shared child cannot ask a client, and its log reaches nobody', async () => {
  const client = await legacyClient(upstream, { capabilities: { elicitation: {}, sampling: {}, roots: {} } });
  const stream = open(client);
  for (const method of ['elicitation/create', 'sampling/createMessage', 'roots/list']) {
    const answer = await client.call('ask', { method }).done;
    assert.equal((textOf(answer) as JsonObject)['code'], -32601);
    assert.equal(answer.head?.contentType, 'application/json');
  }
  const pinged = await client.call('ask', { method: 'ping' }).done;
  assert.deepEqual(textOf(pinged), {});
  const logged = await client.call('log', { data: 'of somebody else' }).done;
  assert.equal(logged.head?.contentType, 'application/json');
  assert.equal(stream.body.includes('somebody else'), false);
  stream.exchange?.abort();
});

test('errors have the status and the code of the client era', async () => {
  const modern = modernClient(upstream);
  const legacy = await legacyClient(upstream);
  const read = await modern.send('resources/read', { uri: 'x' }).done;
  assert.deepEqual([read.head?.status, read.errorCode], [200, -32602]);
  assert.deepEqual((read.json['error'] as JsonObject)['data'], { uri: 'x' });
  assert.equal((await legacy.send('resources/read', { uri: 'x' }).done).errorCode, -32002);
  const unknown = await modern.call('unknown').done;
  assert.deepEqual([unknown.head?.status, unknown.errorCode], [404, -32601]);
  assert.equal((await legacy.call('unknown').done).head?.status, 200);
  const filter = await modern.send('subscriptions/listen', { notifications: 'all' }).done;
  assert.equal(filter.errorCode, -32602);
});

test('listens are bounded, and end in order when the gateway stops', async () => {
  const small = upstreamFor(fixture('raw'), { protocol: 'legacy', limits: { listensPerPrincipal: 2 } });
  const client = modernClient(small.upstream, 'a');
  const notifications = { toolsListChanged: true };
  const streams = [1, 2].map((id) => client.send('subscriptions/listen', { notifications }, id));
  assert.equal((await client.send('subscriptions/listen', { notifications }).done).errorCode, -32603);
  for (const stream of streams) await stream.until(({ events }) => events.length === 1);
  const call = client.call('hang');
  const session = await legacyClient(small.upstream);
  const stream = open(session);
  await small.upstream.close();
  for (const [index, listen] of streams.entries()) {
    await listen.done;
    assert.equal(listen.failure, null);
    assert.equal(listen.last['id'], index + 1);
    assert.equal(listen.result['resultType'], 'complete');
  }
  assert.equal((await call.done).failure?.code, 'shutting_down');
  assert.equal((await stream.done).failure, null);
  assert.equal((await client.call('echo').done).failure?.code, 'shutting_down');
  assert.equal(small.upstream.state(), 'closed');
});

test('what a client says about itself is not kept without bound', async () => {
  const filler = 'x'.repeat(5000);
  const client = await legacyClient(upstream, { capabilities: { elicitation: { filler } } });
  assert.equal((await client.send('resources/subscribe', { uri: `r:/${filler}` }).done).errorCode, -32602);
  const notifications = { resourceSubscriptions: [`r:/${filler}`] };
  const listen = await modernClient(upstream).send('subscriptions/listen', { notifications }).done;
  assert.equal(listen.errorCode, -32602);
  const many = { resourceSubscriptions: Array.from({ length: 201 }, (_, index) => `r:/${index}`) };
  const refused = await modernClient(upstream).send('subscriptions/listen', { notifications: many }).done;
  assert.equal(refused.errorCode, -32602);
  assert.equal(upstream.statistics().subscriptions, 0);
});
