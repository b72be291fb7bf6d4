import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { TaskOwners } from '../../src/pipeline/index.ts';
import { allScopes, modernCall, rpc, startTestGateway, type TestGateway } from '../gateway/support.ts';
import { type Answering, type HostileUpstream, result, startHostileUpstream } from './hostile-upstream.ts';

// A server over HTTP that runs calls as tasks: it gives what became of one to whoever knows its id (2025-11-25 tasks).

let upstream: HostileUpstream;
let test: TestGateway;

const asJson: Answering = ({ response, message }) => {
  response.setHeader('content-type', 'application/json').end(result(message.id, answerTo(message)));
};
const asEvent: Answering = ({ response, message }) => {
  response.setHeader('content-type', 'text/event-stream');
  response.end(`data: ${result(message.id, answerTo(message))}\n\n`);
};

function answerTo({ method, params = {} }: { method?: string; params?: Record<string, unknown> }): object {
  if (method !== 'tools/call') return { taskId: params['taskId'], status: 'working', content: 'of alice' };
  const { taskId } = params['arguments'] as { taskId: string };
  return { task: { taskId, status: 'working', ttl: 60_000 } };
}

before(async () => {
  upstream = await startHostileUpstream();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}", timeout: 2s } }`,
    rest: 'tools: [{ match: "*", scope: mcp:tools:read }]',
  });
});

after(async () => {
  await test.close();
  await upstream.close();
});

const begin = (token: string, taskId: string) =>
  modernCall(test.url, token, {
    method: 'tools/call',
    params: { name: 'echo', arguments: { taskId }, task: { ttl: 60_000 } },
  });

for (const [way, answering] of [
  ['JSON', asJson],
  ['an event', asEvent],
] as const) {
  it(`a task that was told of in ${way} is nobody else's: not to read, not to cancel`, async () => {
    upstream.answer(answering);
    const alice = await test.token(allScopes, { sub: 'alice' });
    const taskId = `task of ${way}`;
    await (await begin(alice, taskId)).text();
    const seen = upstream.seen.length;
    for (const claims of [{ sub: 'bob' }, { sub: 'alice', client_id: 'another' }]) {
      const other = await test.token(allScopes, claims);
      for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
        const answer = await modernCall(test.url, other, { method, params: { taskId } });
        assert.equal(answer.status, 200);
        assert.equal((await rpc(answer)).error?.code, -32602);
      }
    }
    assert.equal(upstream.seen.length, seen, 'the server was asked');
    const record = (await test.records()).at(-1);
    assert.deepEqual([record?.reason, record?.result], ['task_unknown', 'denied_auth']);
    for (const method of ['tasks/get', 'tasks/cancel'])
      assert.ok((await rpc(await modernCall(test.url, alice, { method, params: { taskId } }))).result);
  });
}

it('whoever asks first for a task that nobody was told of here has it, as after a restart', async () => {
  upstream.answer(asJson);
  const get = async (sub: string) => {
    const token = await test.token(allScopes, { sub });
    return rpc(await modernCall(test.url, token, { method: 'tasks/get', params: { taskId: 'from before' } }));
  };
  assert.ok((await get('alice')).result);
  assert.ok((await get('bob')).error);
  assert.ok((await get('alice')).result);
});

it('what is remembered is bounded, whatever a server calls its tasks', () => {
  const owners = new TaskOwners();
  const by = (key: string, taskId: string) =>
    ({
      server: { name: 'notes' },
      principal: { key },
      operation: { kind: 'task' },
      message: { kind: 'request', id: 1, method: 'tasks/get', params: { taskId } },
    }) as unknown as Parameters<TaskOwners['note']>[0];
  for (const taskId of ['kept', 'x'.repeat(10_000)])
    owners.note(by('alice', ''), { result: { task: { taskId } } });
  for (const odd of [undefined, null, [], 'x', { result: [] }, { result: { task: { taskId: 7 } } }])
    owners.note(by('alice', ''), odd);
  assert.equal(owners.isForeign(by('bob', 'kept')), true);
  assert.equal(owners.isForeign(by('alice', 'kept')), false);
  assert.equal(owners.isForeign(by('bob', 'x'.repeat(10_000))), false);
  for (let count = 0; count < 20_000; count += 1)
    owners.note(by('mallory', ''), { result: { taskId: `${count}` } });
  assert.equal(owners.isForeign(by('bob', 'kept')), false, 'the oldest is forgotten');
  assert.equal(owners.isForeign(by('bob', '0')), true);
});
