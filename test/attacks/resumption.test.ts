import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { allScopes, startTestGateway, type TestGateway } from '../gateway/support.ts';
import { type HostileUpstream, result, startHostileUpstream } from './hostile-upstream.ts';

// A server behind keeps the events of all sessions in one store, and replays from whichever event it is given: common, and
// harmless only while nobody learns the ids of others.

let upstream: HostileUpstream;
let test: TestGateway;
const events = new Map<string, string>([
  ['alice-1', 'for alice'],
  ['bob-1', 'for bob'],
]);

before(async () => {
  upstream = await startHostileUpstream();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}", timeout: 2s } }`,
    rest: 'tools: [{ match: "*", scope: mcp:tools:read }]',
  });
  upstream.answer(({ request, response, message }) => {
    if (request.method === 'POST') {
      const params = { protocolVersion: '2025-11-25', capabilities: {} };
      response.setHeader('mcp-session-id', `session-${message.params?.['for']}`);
      response.setHeader('content-type', 'application/json').end(result(message.id, params));
      return;
    }
    const of = String(request.headers['mcp-session-id']).replace('session-', '');
    const last = String(request.headers['last-event-id'] ?? `${of}-1`);
    response.setHeader('content-type', 'text/event-stream');
    const data = JSON.stringify({
      jsonrpc: '2.0',
      method: 'notifications/message',
      params: { data: events.get(last) ?? 'nothing' },
    });
    response.end(`id: ${last}\r\nevent: message\r\ndata: ${data}\r\n\r\nid\ndata:\n\nid:\n: comment\n\n`);
  });
});

after(async () => {
  await test.close();
  await upstream.close();
});

interface Person {
  readonly token: string;
  readonly session: string;
}

async function arrive(name: string, client = 'client'): Promise<Person> {
  const token = await test.token(allScopes, { sub: name, client_id: client });
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name, version: '1' },
    for: name,
  };
  const answer = await fetch(test.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  });
  await answer.text();
  return { token, session: answer.headers.get('mcp-session-id') ?? '' };
}

async function listen({ token, session }: Person, lastEvent?: string) {
  const answer = await fetch(test.url, {
    headers: {
      authorization: `Bearer ${token}`,
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': session,
      accept: 'text/event-stream',
      ...(lastEvent === undefined ? {} : { 'last-event-id': lastEvent }),
    },
  });
  const text = await answer.text();
  return { status: answer.status, text, id: /^id: ?(.+)$/m.exec(text)?.[1] ?? '' };
}

it('an event opens its stream for whom it was sent to, and for nobody else', async () => {
  const alice = await arrive('alice');
  const bob = await arrive('bob');
  const mine = await listen(alice);
  assert.match(mine.text, /for alice/);
  assert.match((await listen(alice, mine.id)).text, /for alice/);
  assert.equal(upstream.seen.at(-1)?.headers['last-event-id'], 'alice-1');
  const asked = upstream.seen.length;
  const tried = {
    'the id that she has': mine.id,
    'the id that the server gave': 'alice-1',
    'her id without its last sign': mine.id.slice(0, -1),
    'her event with the seal of his own': mine.id.replace(
      /[^.]+$/,
      (await listen(bob)).id.split('.').at(-1) ?? '',
    ),
    'a session for an event': bob.session,
    'an id that is no id': '\t, ',
  };
  for (const [what, id] of Object.entries(tried)) {
    const { status, text } = await listen(bob, id);
    assert.ok(status === 404 || id.trim() === '', what);
    assert.doesNotMatch(text, /alice/, what);
  }
  assert.ok(
    upstream.seen.slice(asked).every(({ headers }) => !/alice/.test(String(headers['last-event-id']))),
  );
  const elsewhere = await arrive('alice', 'another-client');
  assert.equal((await listen(elsewhere, mine.id)).status, 404);
  assert.equal((await test.records()).at(-1)?.reason, 'session_unknown');
});

it('what a client writes of its events changes nothing else of them', async () => {
  const { text } = await listen(await arrive('bob'));
  const [first = '', ...others] = text.split('\n\n');
  assert.match(first, /^id: bob-1\.[\w-]{43}\nevent: message\ndata: \{.*"for bob"/);
  assert.deepEqual(others, ['id\ndata:', 'id:\n: comment', '']);
});
