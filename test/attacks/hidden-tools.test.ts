import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allScopes, callTool, modernCall, startTestGateway, type TestGateway } from '../gateway/support.ts';
import {
  type Answering,
  good,
  type HostileUpstream,
  result,
  startHostileUpstream,
  tool,
} from './hostile-upstream.ts';

// A caller who may not know of `secret_tool` tries every way in which a tool list travels.

let upstream: HostileUpstream;
let test: TestGateway;
let reader: string;

before(async () => {
  upstream = await startHostileUpstream();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}", timeout: 2s } }`,
    rest: 'tools: [{ match: "secret_*", show: hidden }, { match: "*", scope: mcp:tools:read }]',
  });
  reader = await test.token(allScopes);
});

after(async () => {
  await test.close();
  await upstream.close();
});

const secret = { ...tool('secret_tool'), description: 'canary' };
const tools = [secret, tool('echo')];
const list = (id: unknown, more: object = {}) => result(id, { tools, ...more });
const jsonAnswer =
  (text: (id: unknown) => string | Buffer, type = 'application/json', status = 200): Answering =>
  ({ response, message }) => {
    response.writeHead(status, type === '' ? {} : { 'content-type': type }).end(text(message.id));
  };
const sseAnswer =
  (...parts: ((id: unknown) => string | Buffer)[]): Answering =>
  async ({ response, message }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const part of parts) {
      response.write(part(message.id));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    response.end();
  };

const noSecret = (text: string) => assert.doesNotMatch(text, /secret_tool|canary/);

/** The client gets no secret: either a list without it, or a refusal, or a cut stream. */
async function tryList(answer: Answering, expected: 'list' | 'refusal' = 'list'): Promise<void> {
  upstream.answer(answer);
  const response = await modernCall(test.url, reader, { method: 'tools/list' });
  const text = await response.text().catch(() => 'cut');
  noSecret(text);
  if (expected === 'list') assert.match(text, /"name":"echo"/);
  if (expected === 'refusal')
    assert.ok(response.status === 502 || text === 'cut', `${response.status} ${text}`);
}

describe('the answer to tools/list hides what it must as', () => {
  const ways: Record<string, [Answering, ('list' | 'refusal')?]> = {
    JSON: [jsonAnswer(list)],
    'JSON without a type': [jsonAnswer(list, '')],
    'JSON called text': [jsonAnswer(list, 'text/plain')],
    'JSON with white space around': [jsonAnswer((id) => ` \n${list(id)}\n\n`)],
    'JSON with an error status': [jsonAnswer(list, 'application/json', 500)],
    'a batch': [jsonAnswer((id) => `[${list(id)}]`), 'refusal'],
    'another id': [jsonAnswer(() => list(999)), 'refusal'],
    'repeated keys': [
      jsonAnswer(
        (id) =>
          `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify({ tools: [] })},"result":${JSON.stringify({ tools })}}`,
      ),
    ],
    'repeated tools': [jsonAnswer((id) => result(id, { tools: [...tools, ...tools] }))],
    'an object of tools': [jsonAnswer((id) => result(id, { tools: { secret } })), 'refusal'],
    'a list in a list': [jsonAnswer((id) => result(id, { tools: [[secret], tool('echo')] }))],
    'text that is no JSON': [jsonAnswer((id) => `x${list(id)}`), 'refusal'],
    'UTF-16': [jsonAnswer((id) => Buffer.from(list(id), 'utf16le')), 'refusal'],
    'one event': [sseAnswer((id) => `data: ${list(id)}\n\n`)],
    'an event with CRs': [sseAnswer((id) => `event: message\rdata: ${list(id)}\r\r`)],
    'an event behind a byte order mark': [sseAnswer((id) => `\ufeffdata: ${list(id)}\n\n`)],
    'an event without an end': [sseAnswer((id) => `data: ${list(id)}`)],
    'an event of many data lines': [
      sseAnswer((id) => `id: 1\n${list(id).replaceAll(',', ',\ndata: ').replace(/^/, 'data: ')}\n\n`),
    ],
    'an event split in the middle': [
      sseAnswer(
        () => 'da',
        (id) => `ta: ${list(id).slice(0, 90)}`,
        (id) => `${list(id).slice(90)}\n`,
        () => '\n',
      ),
    ],
    'an event of two messages': [sseAnswer((id) => `data: ${list(id)}\ndata: ${list(id)}\n\n`), 'refusal'],
    'a batch in an event': [sseAnswer((id) => `data: [${list(id)}]\n\n`), 'refusal'],
    'two responses': [sseAnswer((id) => `data: ${list(id)}\n\ndata: ${list(id)}\n\n`)],
    'a response that is not ours, then ours': [
      sseAnswer(
        () => `data: ${list(77)}\n\n`,
        (id) => `data: ${list(id)}\n\n`,
      ),
    ],
    'a page': [jsonAnswer((id) => list(id, { nextCursor: 'next' }))],
  };
  for (const [what, [answer, expected]] of Object.entries(ways)) {
    it(what, () => tryList(answer, expected));
  }

  it('an event split at any byte', async () => {
    const event = (id: unknown) =>
      `: hi\r\nid: 7\r\ndata: ${list(id)}\r\n\r\ndata: {"jsonrpc":"2.0","method":"x"}\n\n`;
    for (let at = 1; at < event(1).length; at += 3) {
      upstream.answer(async ({ response, message }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(event(message.id).slice(0, at));
        await new Promise((resolve) => setImmediate(resolve));
        response.end(event(message.id).slice(at));
      });
      const response = await modernCall(test.url, reader, { method: 'tools/list' });
      const text = await response.text();
      noSecret(text);
      assert.match(text, /id: 7[\s\S]*"name":"echo"[\s\S]*"method":"x"/);
    }
  });

  it('a page keeps its cursor, and the cursor of a caller goes on', async () => {
    upstream.answer(jsonAnswer((id) => list(id, { nextCursor: 'page-2' })));
    const response = await modernCall(test.url, reader, {
      method: 'tools/list',
      params: { cursor: 'page-1' },
    });
    assert.match(await response.text(), /"nextCursor":"page-2"/);
    assert.equal(upstream.seen.at(-1)?.message.params?.['cursor'], 'page-1');
  });

  it('an event too large to read: cut', async () => {
    await tryList(
      sseAnswer((id) => `data: ${list(id).slice(0, -1)}${' '.repeat(17 * 1024 * 1024)}}\n\n`),
      'refusal',
    );
  });

  it('an answer too large to read: refused', async () => {
    await tryList(
      jsonAnswer((id) => `${list(id)}${' '.repeat(17 * 1024 * 1024)}`),
      'refusal',
    );
  });
});

describe('a tool list that comes another way', () => {
  const legacy = (message: object | null, headers: Record<string, string>) =>
    fetch(test.url, {
      method: message ? 'POST' : 'GET',
      headers: {
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${reader}`,
        'mcp-protocol-version': '2025-11-25',
        ...(message ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(message ? { body: JSON.stringify({ jsonrpc: '2.0', ...message }) } : {}),
    });

  async function session(): Promise<Record<string, string>> {
    upstream.answer(({ response, message }) => {
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'the-session' });
      response.end(result(message.id, { protocolVersion: '2025-11-25', capabilities: {} }));
    });
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    };
    const answer = await legacy({ id: 0, method: 'initialize', params }, {});
    await answer.text();
    return { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' };
  }

  it('in a replay, on GET with Last-Event-ID', async () => {
    const headers = await session();
    upstream.answer(sseAnswer(() => 'id: 8\ndata: \n\n'));
    const [, last = ''] = /^id: (.+)$/m.exec(await (await legacy(null, headers)).text()) ?? [];
    for (const data of [list(5), `[${list(5)}]`]) {
      upstream.answer(sseAnswer(() => `id: 9\ndata: ${data}\n\n`));
      const replay = await legacy(null, { ...headers, 'last-event-id': last });
      assert.equal(upstream.seen.at(-1)?.headers['last-event-id'], '8');
      const text = await replay.text();
      noSecret(text);
      assert.match(text, /id: 9\.[\w-]{43}\n[\s\S]*"name":"echo"/);
    }
    upstream.answer(sseAnswer(() => `data: ${list(5).slice(0, -1)}${' '.repeat(17 * 1024 * 1024)}}\n\n`));
    const large = await legacy(null, { ...headers, 'last-event-id': last });
    noSecret(await large.text().catch(() => 'cut'));
  });

  it('as the answer to a call with the same id', async () => {
    const headers = await session();
    for (const answer of [jsonAnswer(list), sseAnswer((id) => `data: ${list(id)}\n\n`)]) {
      upstream.answer(answer);
      const call = await legacy({ id: 5, method: 'tools/call', params: { name: 'echo' } }, headers);
      const text = await call.text();
      noSecret(text);
      assert.match(text, /"name":"echo"/);
    }
  });

  it('changes nothing of what is known: a tool cannot make up the hints of another', async () => {
    const headers = await session();
    const writer = await test.token('mcp:tools:read');
    const forged = [tool('never_listed')];
    for (const answer of [
      jsonAnswer((id) => result(id, { tools: forged })),
      sseAnswer((id) => `data: ${result(id, { tools: forged })}\n\n`),
    ]) {
      upstream.answer(answer);
      await (await legacy({ id: 5, method: 'tools/call', params: { name: 'echo' } }, headers)).text();
    }
    upstream.answer(good);
    const answer = await callTool(test.url, writer, 'never_listed');
    assert.match(await answer.text(), /Unknown tool/);
  });

  it('messages that are no list pass byte for byte', async () => {
    const events =
      ': hi\n\nevent: x\nid: 1\ndata: {"jsonrpc":"2.0","id":1,\ndata: "result":{"a":[1, 2]}}\n\ndata:\n\nretry: 5\r\n\r\ndata: no json\r\r';
    upstream.answer(
      sseAnswer(
        () => events.slice(0, 40),
        () => events.slice(40),
      ),
    );
    const answer = await callTool(test.url, reader, 'echo');
    assert.equal(await answer.text(), events);
    const odd = `{"jsonrpc" : "2.0","id":1, "result":{"content":[],"structuredContent":{"tools":[{"name":"secret_tool"}]}}}`;
    upstream.answer(jsonAnswer(() => odd));
    assert.equal(await (await callTool(test.url, reader, 'echo')).text(), odd);
  });
});

describe('a hidden tool', () => {
  it('answers as one that is not there does: bytes, headers and what the upstream is asked', async () => {
    upstream.answer(good);
    const seen = upstream.seen.length;
    const shapes = [];
    for (const name of ['secret_tool', 'secret_missing', 'not_there', 'x'.repeat(64)]) {
      const answer = await callTool(test.url, reader, name);
      const headers = [...answer.headers].filter(
        ([header]) => header !== 'x-request-id' && header !== 'date',
      );
      shapes.push(JSON.stringify([answer.status, headers, await answer.text()]));
    }
    assert.equal(new Set(shapes).size, 1, shapes.join('\n'));
    assert.equal(upstream.seen.length, seen, 'a refused call reached the upstream');
  });
});
