import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allScopes, callTool, rpc, startTestGateway, type TestGateway } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

// Two servers on one gateway and one issuer for both: what opens one must not open the other.

let notes: FixtureServer;
let vault: FixtureServer;
let test: TestGateway;
let url: { notes: string; vault: string };

before(async () => {
  [notes, vault] = [await startFixtureServer(), await startFixtureServer()];
  test = await startTestGateway({
    servers: [
      `  notes: { path: /notes/mcp, upstream: { url: "${notes.url}" } }`,
      `  vault: { path: /vault/mcp, upstream: { url: "${vault.url}" } }`,
    ].join('\n'),
    audience: ['/notes/mcp', '/vault/mcp/', '/both'],
  });
  url = { notes: `${test.origin}/notes/mcp`, vault: `${test.origin}/vault/mcp` };
});

after(async () => {
  await test.close();
  await notes.close();
  await vault.close();
});

const token = (aud: string | string[], claims = {}) => test.issuer.sign({ aud, scope: allScopes, ...claims });

describe('a token', () => {
  it('for one server is refused by the other, before and after it was good at its own', async () => {
    const forNotes = await token(url.notes);
    const forVault = await token(`${url.vault}/`);
    for (let round = 0; round < 2; round++) {
      assert.equal((await callTool(url.vault, forNotes, 'echo', { text: 'x' })).status, 401);
      assert.equal((await callTool(url.notes, forVault, 'echo', { text: 'x' })).status, 401);
      assert.equal((await callTool(url.notes, forNotes, 'echo', { text: 'x' })).status, 200);
      assert.equal((await callTool(url.vault, forVault, 'echo', { text: 'x' })).status, 200);
    }
    const reasons = (await test.records()).map(({ reason }) => reason);
    assert.equal(reasons.filter((reason) => reason === 'token_audience').length, 4);
  });

  it('for an audience that the operator gave to no server alone opens all of them', async () => {
    const forBoth = await token(`${test.origin}/both`);
    assert.equal((await callTool(url.notes, forBoth, 'echo', { text: 'x' })).status, 200);
    assert.equal((await callTool(url.vault, forBoth, 'echo', { text: 'x' })).status, 200);
  });

  it('past its expiry, within what clocks may differ, is good or bad at every use alike', async () => {
    const now = Math.floor(Date.now() / 1000);
    const late = await token(url.notes, { exp: now - 5 });
    const over = await token(url.notes, { exp: now - 60 });
    for (let use = 0; use < 3; use++) {
      assert.equal((await callTool(url.notes, late, 'echo', { text: 'x' })).status, 200);
      assert.equal((await callTool(url.notes, over, 'echo', { text: 'x' })).status, 401);
    }
  });
});

describe('a session', () => {
  const legacy = (endpoint: string, bearer: string, message: object, headers = {}) =>
    fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${bearer}`,
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
  const initialize = {
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
  };
  async function open(bearer: string) {
    const answer = await legacy(url.notes, bearer, initialize);
    assert.ok((await rpc(answer)).result);
    return {
      'mcp-session-id': answer.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    };
  }

  it('of one server is unknown at the other, also to its owner', async () => {
    const bearer = await token(`${test.origin}/both`);
    const session = await open(bearer);
    const seen = vault.requests.length;
    for (const message of [{ id: 1, method: 'tools/list' }, initialize, { id: 3, result: {} }]) {
      assert.equal((await legacy(url.vault, bearer, message, session)).status, 404);
    }
    const bare = { ...session, authorization: `Bearer ${bearer}`, accept: 'text/event-stream' };
    assert.equal((await fetch(url.vault, { headers: bare })).status, 404);
    assert.equal((await fetch(url.vault, { method: 'DELETE', headers: bare })).status, 404);
    assert.equal(vault.requests.length, seen);
  });

  it('of somebody else is no way into initialize', async () => {
    const session = await open(await token(url.notes));
    const mallory = await token(url.notes, { sub: 'mallory' });
    const seen = notes.requests.length;
    assert.equal((await legacy(url.notes, mallory, initialize, session)).status, 404);
    assert.equal(notes.requests.length, seen);
  });

  it('means nothing to a modern request and does not travel on', async () => {
    const bearer = await token(url.notes);
    const session = await open(bearer);
    const { modernCall } = await import('../gateway/support.ts');
    const answer = await modernCall(url.notes, bearer, {
      method: 'tools/list',
      headers: { 'mcp-session-id': session['mcp-session-id'], 'last-event-id': '1', 'mcp-param-x': 'y' },
    });
    assert.equal(answer.status, 200);
    const headers = notes.requests.at(-1)?.headers ?? {};
    for (const name of ['mcp-session-id', 'last-event-id', 'mcp-param-x'])
      assert.equal(headers[name], undefined, name);
  });
});
