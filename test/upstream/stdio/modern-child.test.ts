import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../../src/protocol/index.ts';
import { fixture, legacyClient, modernClient, upstreamFor } from './harness.ts';

const { upstream, lines } = upstreamFor(fixture('modern'));
after(() => upstream.close());

const uri = 'test://note';
const subscriptionId = 'io.modelcontextprotocol/subscriptionId';
const metaOf = (event: JsonObject) =>
  ((event['params'] ?? event['result']) as JsonObject)['_meta'] as JsonObject;

test('the era of the child is found by asking it', async () => {
  await upstream.start();
  assert.ok(lines.some(({ fields }) => fields['era'] === 'modern'));
});

test('a modern client gets the answers of a modern child unchanged', async () => {
  const client = modernClient(upstream);
  const tools = await client.send('tools/list').done;
  assert.equal(tools.result['ttlMs'], 1000);
  assert.equal(tools.result['cacheScope'], 'public');
  const discovered = await client.send('server/discover').done;
  const capabilities = discovered.result['capabilities'] as JsonObject;
  assert.ok(capabilities['tools']);
  assert.equal(capabilities['logging'], undefined, 'the log of a shared child goes to nobody');
  const slow = await client.send('tools/call', { name: 'slow', _meta: { progressToken: 'p' } }, 'x').done;
  assert.deepEqual(
    slow.events.slice(0, 3).map((event) => (event['params'] as JsonObject)['progressToken']),
    ['p', 'p', 'p'],
  );
  assert.equal(slow.last['id'], 'x');
});

test('a legacy client gets a session and answers of its own era', async () => {
  const client = await legacyClient(upstream, { protocolVersion: '2025-06-18' });
  const tools = await client.send('tools/list').done;
  assert.equal((tools.result['tools'] as unknown[]).length, 5);
  for (const key of ['resultType', 'ttlMs', 'cacheScope'])
    assert.equal(Object.hasOwn(tools.result, key), false);
  const slow = await client.send('tools/call', { name: 'slow', _meta: { progressToken: 3 } }).done;
  assert.equal(slow.events.length, 4);
});

test('a modern child that wants input asks a legacy client on the stream of its call', async () => {
  const client = await legacyClient(upstream, { capabilities: { elicitation: {} } });
  const call = client.call('ask', {}, 5);
  await call.until((received) => received.events.length === 1);
  const [question] = call.events;
  assert.equal(question?.['method'], 'elicitation/create');
  const reply = client.raw(
    JSON.stringify({
      jsonrpc: '2.0',
      id: question?.['id'] ?? null,
      result: { action: 'accept', content: { name: 'Ada' } },
    }),
  );
  assert.equal((await reply.done).head?.status, 202);
  await call.done;
  assert.equal(call.last['id'], 5);
  assert.match(JSON.stringify(call.result), /Ada/);
  assert.match(JSON.stringify(call.result), /state-1/);
});

test('a legacy client without the capability gets an error, and no question', async () => {
  const client = await legacyClient(upstream);
  const call = await client.call('ask').done;
  assert.ok(call.last['error']);
  assert.equal(call.head?.contentType, 'application/json');
});

test('subscriptions/listen of two clients with the same id are kept apart', async () => {
  const clients = [modernClient(upstream, 'a'), modernClient(upstream, 'b')];
  const notifications = { toolsListChanged: true, resourceSubscriptions: [uri] };
  const streams = clients.map((client) => client.send('subscriptions/listen', { notifications }, 'same'));
  for (const stream of streams) await stream.until((received) => received.events.length === 1);
  await clients[0]?.call('touch').done;
  for (const stream of streams) {
    await stream.until((received) => received.events.length === 3);
    assert.deepEqual(
      stream.events.map((event) => event['method']),
      [
        'notifications/subscriptions/acknowledged',
        'notifications/tools/list_changed',
        'notifications/resources/updated',
      ],
    );
    for (const event of stream.events) assert.equal(metaOf(event)[subscriptionId], 'same');
    stream.exchange?.abort();
  }
  assert.equal(upstream.statistics().listens, 0);
});

test('a legacy session hears of changes of a modern child', async () => {
  const client = await legacyClient(upstream);
  const stream = client.raw(null, { httpMethod: 'GET' });
  assert.equal((await client.send('resources/subscribe', { uri }).done).head?.status, 200);
  await new Promise((resolve) => setTimeout(resolve, 100));
  let changes = 0;
  upstream.onToolsChanged(() => {
    changes += 1;
  });
  await client.call('touch').done;
  await stream.until((received) => received.events.length === 2);
  const methods = stream.events.map((event) => event['method']).sort();
  assert.deepEqual(methods, ['notifications/resources/updated', 'notifications/tools/list_changed']);
  assert.equal(changes, 1);
  stream.exchange?.abort();
});

test('methods of the other era do not reach the child', async () => {
  const modern = modernClient(upstream);
  for (const method of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'tasks/list']) {
    const answer = await modern.send(method).done;
    assert.equal(answer.head?.status, 404, method);
    assert.equal(answer.errorCode, -32601);
  }
  const legacy = await legacyClient(upstream);
  for (const method of ['server/discover', 'subscriptions/listen', 'tasks/get']) {
    const answer = await legacy.send(method).done;
    assert.equal(answer.head?.status, 200);
    assert.equal(answer.errorCode, -32601);
  }
});

test('a dual-era child is served as a modern one', async () => {
  const dual = upstreamFor(fixture('modern', '--dual'));
  try {
    const client = await legacyClient(dual.upstream);
    assert.match((await client.call('echo', { a: 1 }).done).body, /a/);
    assert.ok(dual.lines.some(({ fields }) => fields['era'] === 'modern'));
  } finally {
    await dual.upstream.close();
  }
});

test('a modern child that is taken for legacy, and the reverse, is a failed start', async () => {
  for (const [name, protocol] of [
    ['modern', 'legacy'],
    ['raw', 'modern'],
  ] as const) {
    const wrong = upstreamFor(fixture(name), { protocol });
    try {
      await assert.rejects(wrong.upstream.start());
      assert.equal(wrong.upstream.state(), 'down');
    } finally {
      await wrong.upstream.close();
    }
  }
});
