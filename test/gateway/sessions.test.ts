import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createSessionSeal } from '../../src/pipeline/index.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { allScopes, rpc, startTestGateway, type TestGateway, until } from './support.ts';

let upstream: FixtureServer;
let test: TestGateway;
let alice: string;
let mallory: string;

before(async () => {
  upstream = await startFixtureServer({ port: 0 });
  test = await startTestGateway({ servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }` });
  alice = await test.token(allScopes, { sub: 'alice' });
  mallory = await test.token(allScopes, { sub: 'mallory' });
});

after(async () => {
  await test.close();
  await upstream.close();
});

const accept = 'application/json, text/event-stream';

function legacy(token: string, message: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(test.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  });
}

async function open(token: string): Promise<Record<string, string>> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const answer = await legacy(token, { id: 0, method: 'initialize', params });
  assert.equal(answer.status, 200);
  assert.ok((await rpc(answer)).result);
  const headers = {
    'mcp-session-id': answer.headers.get('mcp-session-id') ?? '',
    'mcp-protocol-version': '2025-11-25',
  };
  assert.ok(headers['mcp-session-id'].length > 43);
  const initialized = await legacy(token, { method: 'notifications/initialized' }, headers);
  assert.equal(initialized.status, 202);
  await initialized.text();
  return headers;
}

describe('sessions', () => {
  it('serve the principal that opened them, also with a new token', async () => {
    const session = await open(alice);
    for (const token of [alice, await test.token(allScopes, { sub: 'alice' })]) {
      const answer = await legacy(token, { id: 1, method: 'tools/list' }, session);
      assert.equal(answer.status, 200);
      assert.ok((await rpc(answer)).result?.['tools']);
    }
    assert.ok(
      !upstream.requests.some(({ headers }) => headers['mcp-session-id'] === session['mcp-session-id']),
    );
  });

  it('are unknown to anybody else, in every use', async () => {
    const session = await open(alice);
    const other = await test.token(allScopes, { sub: 'alice', client_id: 'another-client' });
    const none = await fetch(test.url, { method: 'DELETE', headers: session });
    assert.equal(none.status, 401);
    for (const token of [mallory, other]) {
      const seen = upstream.requests.length;
      const headers = { ...session, accept, authorization: `Bearer ${token}` };
      const answers = [
        await legacy(token, { id: 1, method: 'tools/list' }, session),
        await legacy(token, { id: 5, result: {} }, session),
        await fetch(test.url, { headers }),
        await fetch(test.url, { method: 'DELETE', headers }),
      ];
      for (const answer of answers) assert.equal(answer.status, 404);
      assert.equal(upstream.requests.length, seen, 'a foreign session reached the upstream');
    }
    const still = await legacy(alice, { id: 2, method: 'ping' }, session);
    assert.equal(still.status, 200, 'the owner lost the session');
  });

  it('cannot be made up: the upstream id alone, changed, cut, padded', async () => {
    const sealed = (await open(alice))['mcp-session-id'] ?? '';
    const [id = ''] = sealed.split('.');
    const flipped = `${sealed.slice(0, -1)}${sealed.endsWith('A') ? 'B' : 'A'}`;
    for (const forged of [
      id,
      `${id}.`,
      flipped,
      sealed.slice(1),
      `${sealed}x`,
      `x${sealed}`,
      `${id}.${'A'.repeat(43)}`,
      '.'.repeat(50),
    ]) {
      const answer = await legacy(
        alice,
        { id: 1, method: 'ping' },
        { 'mcp-session-id': forged, 'mcp-protocol-version': '2025-11-25' },
      );
      assert.equal(answer.status, 404, forged);
    }
  });

  it('end with DELETE', async () => {
    const session = await open(alice);
    const headers = { ...session, authorization: `Bearer ${alice}` };
    assert.ok((await fetch(test.url, { method: 'DELETE', headers })).ok);
    assert.equal((await legacy(alice, { id: 1, method: 'tools/list' }, session)).status, 404);
  });

  it('have an event stream that ends upstream when the client goes', async () => {
    const session = await open(alice);
    const controller = new AbortController();
    const stream = await fetch(test.url, {
      headers: { ...session, accept: 'text/event-stream', authorization: `Bearer ${alice}` },
      signal: controller.signal,
    });
    assert.equal(stream.status, 200);
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    await until(() => assert.ok(upstream.openAnswers() > 0));
    controller.abort();
    await until(() => assert.equal(upstream.openAnswers(), 0));
    await until(async () => assert.equal((await test.records()).at(-1)?.reason, 'cancelled'));
  });
});

describe('the session seal', () => {
  const seal = createSessionSeal(new Uint8Array(32).fill(7));
  const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 });

  it('opens for the same server and principal, and for no other', () => {
    fc.assert(
      fc.property(text, text, text, text, (server, principal, id, other) => {
        const sealed = seal.seal({ server, principal }, id);
        assert.equal(seal.open({ server, principal }, sealed), id);
        if (other !== principal) assert.equal(seal.open({ server, principal: other }, sealed), null);
        if (other !== server) assert.equal(seal.open({ server: other, principal }, sealed), null);
        if (other !== sealed) assert.equal(seal.open({ server, principal }, other), null);
      }),
    );
  });

  it('does not open under another key', () => {
    const owner = { server: 's', principal: 'p' };
    assert.equal(createSessionSeal(new Uint8Array(32)).open(owner, seal.seal(owner, 'id')), null);
  });
});
