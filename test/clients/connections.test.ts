import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { type IssuedGateway, startIssuedGateway } from './gateway.ts';
import { legacyCall, modernCall, openSession, post, type RawTarget, send } from './raw-client.ts';

// What no library does on purpose: connections cut at any byte, other people's sessions, slow readers.
describe('connections through the gateway', () => {
  let fixture: FixtureServer;
  let issued: IssuedGateway;
  before(async () => {
    fixture = await startFixtureServer();
    issued = await startIssuedGateway({ url: fixture.url });
  });
  after(async () => {
    await issued.close();
    await fixture.close();
  });

  const target = async (subject = 'alice'): Promise<RawTarget> => ({
    url: `${issued.gateway.origin}/mcp`,
    token: await issued.token({ sub: subject }),
  });

  it('resumes after a cut, with what was missed and nothing twice', async () => {
    const alice = await target();
    const headers = await openSession(alice);
    const call = await post({ ...alice, headers }, legacyCall('slow_report', { steps: 6, delayMs: 40 }));
    const seen = await readUntil(call.answer, /"progress":2/);
    call.call.destroy();
    const lastEventId = [...seen.matchAll(/^id: ?(.+)$/gm)].at(-1)?.[1] ?? '';
    const resumed = await get({ ...alice, headers: { ...headers, 'last-event-id': lastEventId } });
    assert.equal(resumed.statusCode, 200);
    const rest = await readUntil(resumed, /done after 6 steps/);
    resumed.destroy();
    const steps = [...rest.matchAll(/"progress":(\d)/g)].map((match) => match[1]);
    const last = [...seen.matchAll(/"progress":(\d)/g)].at(-1)?.[1];
    assert.deepEqual(steps, ['3', '4', '5', '6'].slice(Number(last) - 2));
  });

  it('lets nobody into the session of another: not by call, stream, resumption or DELETE', async () => {
    const headers = await openSession(await target('alice'));
    const mallory = { ...(await target('mallory')), headers };
    const before = fixture.requests.length;
    const answers = [
      (await post(mallory, legacyCall('echo', { text: 'mine' }))).answer,
      await get(mallory),
      await get({ ...mallory, headers: { ...headers, 'last-event-id': 'a/0' } }),
      await get(mallory, 'DELETE'),
    ];
    assert.deepEqual(
      answers.map(({ statusCode }) => statusCode),
      [404, 404, 404, 404],
    );
    for (const answer of answers) answer.resume();
    assert.equal(fixture.requests.length, before, 'the upstream was asked');
  });

  it('does not tell the client the id that the upstream knows the session by', async () => {
    const headers = await openSession(await target());
    const known = fixture.requests.findLast(({ method }) => method === 'notifications/initialized');
    const upstream = known?.headers['mcp-session-id'];
    assert.ok(upstream);
    assert.notEqual(headers['mcp-session-id'], upstream);
    const direct = await post(
      { ...(await target()), headers: { ...headers, 'mcp-session-id': `${upstream}` } },
      legacyCall('echo', { text: 'x' }),
    );
    assert.equal(direct.answer.statusCode, 404);
    direct.answer.resume();
  });

  it('ends the call upstream when a modern client is cut off', async () => {
    const { headers, message } = modernCall('slow_report', { steps: 1000, delayMs: 20 });
    const call = await post({ ...(await target()), headers }, message);
    call.answer.on('error', () => {});
    await readUntil(call.answer, /"progress":1/);
    const before = fixture.cancelled.length;
    call.call.destroy();
    await eventually(() => fixture.cancelled.length, before + 1, 'the upstream works on');
    assert.equal(fixture.requests.findLast(({ name }) => name === 'slow_report')?.outcome, 'aborted');
  });

  it('closes the listening stream of a session when its client goes, and when the session ends', async () => {
    const alice = await target();
    const headers = await openSession(alice);
    const first = await get({ ...alice, headers });
    assert.match(first.headers['content-type'] ?? '', /text\/event-stream/);
    await eventually(fixture.openAnswers, 1);
    first.on('error', () => {}).destroy();
    await eventually(fixture.openAnswers, 0, 'the upstream still streams to nobody');
    const second = await get({ ...alice, headers });
    const ended = once(second.resume(), 'close');
    (await get({ ...alice, headers }, 'DELETE')).resume();
    await ended;
  });
});

it('makes the upstream wait for a client that does not read', async () => {
  const upstream = await startFirehose(64 * 1024 * 1024);
  const issued = await startIssuedGateway({ url: upstream.url });
  try {
    const { headers, message } = modernCall('flood', {});
    const call = await post(
      { url: `${issued.gateway.origin}/mcp`, token: await issued.token(), headers },
      message,
    );
    call.answer.pause();
    await sleep(1000);
    const stalledAt = upstream.produced();
    await sleep(500);
    assert.equal(upstream.produced(), stalledAt, 'it still produces');
    assert.ok(stalledAt < 16 * 1024 * 1024, `${stalledAt} bytes are held for a client that reads none`);
    let received = 0;
    for await (const chunk of call.answer) received += (chunk as Buffer).length;
    assert.equal(received, upstream.produced());
    assert.ok(received >= 64 * 1024 * 1024);
  } finally {
    await issued.close();
    await upstream.close();
  }
});

/** An MCP server whose only tool answers with a stream as long as wanted, produced as it is taken. */
async function startFirehose(bytes: number) {
  let produced = 0;
  const notification = {
    jsonrpc: '2.0',
    method: 'notifications/message',
    params: { level: 'info', data: 'x'.repeat(16_000) },
  };
  const event = Buffer.from(`data: ${JSON.stringify(notification)}\n\n`);
  const last = Buffer.from(
    'data: {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}\n\n',
  );
  function* events() {
    while (produced < bytes) {
      produced += event.length;
      yield event;
    }
    produced += last.length;
    yield last;
  }
  const server = createServer(async (request, response) => {
    const { id, method } = JSON.parse(await text(request));
    if (method === 'tools/call') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      Readable.from(events())
        .on('error', () => {})
        .pipe(response);
      return;
    }
    const tools = [{ name: 'flood', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }];
    const result = { resultType: 'complete', tools, ttlMs: 1000, cacheScope: 'private' };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    produced: () => produced,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const get = async (target: RawTarget, method: 'GET' | 'DELETE' = 'GET') =>
  (await send(method, target)).answer;

async function readUntil(answer: IncomingMessage, wanted: RegExp): Promise<string> {
  let seen = '';
  for await (const chunk of answer.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    seen += chunk;
    if (wanted.test(seen)) return seen;
  }
  return seen;
}
