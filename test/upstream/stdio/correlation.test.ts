import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../src/protocol/index.ts';
import {
  fixture,
  legacyClient,
  modernClient,
  type Received,
  type TestClient,
  upstreamFor,
} from './harness.ts';

const { upstream } = upstreamFor(fixture('raw'), { protocol: 'legacy' });
after(() => upstream.close());

const textOf = (received: Received) => {
  const [first] = received.result['content'] as JsonObject[];
  return JSON.parse(String(first?.['text'])) as JsonObject;
};
const callText = (id: string, name: string, args = '{}', meta = '{}') =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${name}","arguments":${args},"_meta":${meta}}}`;
/** Lines that the child read and that contain `part`. */
async function linesWith(client: TestClient, part: string): Promise<string[]> {
  const lines = textOf(await client.call('lines').done) as unknown as string[];
  return lines.filter((line) => line.includes(part) && !line.includes('"lines"'));
}

test('many callers with colliding ids each get exactly their own answers', async () => {
  const clients = [
    modernClient(upstream, 'a'),
    modernClient(upstream, 'b'),
    await legacyClient(upstream, { principalKey: 'a' }),
    await legacyClient(upstream, { principalKey: 'b' }),
  ];
  const id = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom('0', '1', '', '"\\', '\u2028'));
  const call = fc.record({ client: fc.nat(3), id, delay: fc.nat(20), progress: fc.boolean() });
  let serial = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 30 }), async (calls) => {
      const sent = calls.map(({ client, id, delay, progress }) => {
        serial += 1;
        const _meta: JsonObject = progress ? { progressToken: 'same' } : {};
        const name = progress ? 'progress' : 'echo';
        const params = { name, arguments: { serial, delay }, _meta };
        const received = clients[client]?.send('tools/call', params, id);
        return { received, id, serial, progress };
      });
      for (const { received, id, serial, progress } of sent) {
        assert.ok(received);
        await received.done;
        assert.strictEqual(received.last['id'], id);
        if (!progress) assert.equal(textOf(received)['serial'], serial);
        assert.equal(received.events.filter((event) => event['method']).length, progress ? 1 : 0);
      }
    }),
    { numRuns: 30 },
  );
  assert.equal(upstream.statistics().pending, 0);
});

test('ids and numbers keep the form in which they were written', async () => {
  const client = modernClient(upstream);
  for (const id of ['12345678901234567890', '1.0', '"1"', '"\\u0041"', '1e2', '-0']) {
    const answer = await client.raw(callText(id, 'echo', '{"big":98765432109876543210,"f":1.50}')).done;
    assert.ok(answer.body.startsWith(`{"jsonrpc":"2.0","id":${id},`), answer.body);
  }
  assert.equal((await linesWith(client, '"big":98765432109876543210,"f":1.50}')).length, 6);
  const number = await client.call('number').done;
  assert.match(number.body, /"n":12345678901234567890,"f":1\.0/);
});

test('what a modern client says about itself stays with the gateway; other metadata goes on', async () => {
  const client = modernClient(upstream);
  await client.send('tools/call', { name: 'echo', arguments: {}, mark: 'm1', _meta: { 'com.example/k': 1 } })
    .done;
  const [line] = await linesWith(client, '"mark":"m1"');
  assert.deepEqual((JSON.parse(line ?? '') as { params: JsonObject }).params['_meta'], {
    'com.example/k': 1,
  });
  await client.send('tools/call', { name: 'echo', arguments: {}, mark: 'm2' }).done;
  assert.equal((await linesWith(client, '"mark":"m2"'))[0]?.includes('_meta'), false);
});

test('answers with ids that nobody waits for reach nobody', async () => {
  const before = upstream.statistics().unmatched;
  const client = modernClient(upstream);
  const waiting = [client.call('echo', { delay: 100, n: 1 }), client.call('echo', { delay: 100, n: 2 })];
  const foreign = await client.call('foreign').done;
  assert.equal(textOf(foreign), 'own' as unknown);
  assert.ok(upstream.statistics().unmatched >= before + 5);
  await Promise.all(waiting.map((received) => received.done));
  const twice = await client.call('twice').done;
  assert.equal(textOf(twice), 'first' as unknown);
});

test('progress with a token of somebody else or of nobody is not delivered', async () => {
  const client = modernClient(upstream);
  const victim = client.call('echo', { delay: 200 });
  const tokens = [1, 2, 'same', null, -1, ...Array.from({ length: 400 }, (_, index) => index)];
  const params = { name: 'progress', arguments: { tokens, delay: 50 }, _meta: { progressToken: 'mine' } };
  await client.send('tools/call', params).done;
  await victim.done;
  assert.equal(victim.head?.contentType, 'application/json', 'no progress was asked for');
});

test('a client that leaves cancels its call in the child, under the id of the child', async () => {
  const client = modernClient(upstream);
  const call = client.raw(callText('"cancel-me"', 'hang', '{"mark":"abort"}'));
  const [line] = await linesWith(client, '"mark":"abort"');
  call.exchange?.abort();
  call.exchange?.abort();
  const { id } = JSON.parse(line ?? '') as { id: number };
  const cancelled = textOf(await client.call('cancelled').done) as unknown as number[];
  assert.deepEqual(cancelled.slice(-1), [id]);
  assert.equal(call.ended, false, 'nothing is said after an abort');
});

test('a session cancels its own calls only', async () => {
  const victim = await legacyClient(upstream, { principalKey: 'victim' });
  const attacker = await legacyClient(upstream, { principalKey: 'attacker' });
  const other = await legacyClient(upstream, { principalKey: 'victim' });
  const call = victim.call('hang', {}, 77);
  const [line] = await linesWith(victim, '"hang"');
  const childId = (JSON.parse(line ?? '') as { id: number }).id;
  for (const requestId of [77, '77', childId, String(childId)]) {
    for (const client of [attacker, other]) {
      assert.equal((await client.notify('notifications/cancelled', { requestId }).done).head?.status, 202);
    }
  }
  await victim.notify('notifications/cancelled', { requestId: '77' }).done;
  assert.equal(call.ended, false);
  assert.equal((await victim.notify('notifications/cancelled', { requestId: 77 }).done).head?.status, 202);
  await call.done;
  const cancelled = textOf(await victim.call('cancelled').done) as unknown as number[];
  assert.ok(cancelled.includes(childId));
});

test('a call that gets no answer in time fails, and the child is told', async () => {
  const slow = upstreamFor(fixture('raw'), {
    protocol: 'legacy',
    requestTimeoutMs: 400,
    limits: { progressFactor: 4 },
  });
  try {
    await slow.upstream.start();
    const client = modernClient(slow.upstream);
    const call = await client.call('hang').done;
    assert.equal(call.failure?.code, 'upstream_timeout');
    assert.equal((textOf(await client.call('cancelled').done) as unknown as number[]).length, 1);
    const ticking = { name: 'ticking', arguments: { every: 100, steps: 8 }, _meta: { progressToken: 1 } };
    const working = await client.send('tools/call', ticking).done;
    assert.equal(working.failure, null, 'progress grants time');
    const endless = { name: 'ticking', arguments: { every: 100, steps: 1000 }, _meta: { progressToken: 1 } };
    const talking = await client.send('tools/call', endless).done;
    assert.equal(talking.failure?.code, 'upstream_timeout', 'but not for ever');
  } finally {
    await slow.upstream.close();
  }
});

test('after many aborted exchanges nothing is left', async () => {
  const own = upstreamFor(fixture('raw'), { protocol: 'legacy' });
  const client = modernClient(own.upstream);
  const legacy = await legacyClient(own.upstream);
  for (let round = 0; round < 300; round += 1) {
    const calls = [
      client.call('hang'),
      legacy.call('hang'),
      client.send('subscriptions/listen', { notifications: { resourceSubscriptions: [`a:${round}`] } }),
      legacy.raw(null, { httpMethod: 'GET' }),
    ];
    if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const call of calls) call.exchange?.abort();
  }
  await client.call('echo').done;
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { ignored: _, unmatched: __, sessions, processes, ...rest } = own.upstream.statistics();
  assert.deepEqual([sessions, processes], [1, 1]);
  for (const [name, count] of Object.entries(rest)) assert.equal(count, 0, name);
  await own.upstream.close();
  const { processes: left, sessions: open } = own.upstream.statistics();
  assert.deepEqual([left, open], [0, 0]);
});

test('an answer that is complete is not taken back because its receiver is slow', async () => {
  const own = upstreamFor(fixture('raw'), { protocol: 'legacy', requestTimeoutMs: 300 });
  try {
    await own.upstream.start();
    const params = { name: 'progress', arguments: {}, _meta: { progressToken: 1 } };
    const slow = modernClient(own.upstream).send('tools/call', params);
    slow.accepts = false;
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(slow.ended, false);
    slow.accepts = true;
    slow.exchange?.resume();
    await slow.done;
    assert.equal(slow.failure, null);
    assert.ok(slow.result);
  } finally {
    await own.upstream.close();
  }
});
