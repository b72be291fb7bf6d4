import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Answer, challenged, Replay } from './replay.ts';
import { type ReplayGateway, startReplayGateway } from './replay-gateway.ts';

// The Inspector in direct mode: its page asks, so a browser asks first, and shows the page only what CORS allows (Fetch standard).

const origin = 'http://localhost:6274';

let running: ReplayGateway;
before(async () => {
  running = await startReplayGateway();
});
after(() => running.close());

const listOf = (value: string | string[] | undefined) =>
  String(value ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());

function assertReadable(answer: Answer, exposed: readonly string[] = []): void {
  assert.ok(
    [origin, '*'].includes(String(answer.headers['access-control-allow-origin'])),
    JSON.stringify(answer.headers),
  );
  for (const name of exposed)
    assert.ok(listOf(answer.headers['access-control-expose-headers']).includes(name), name);
}

/** As a browser asks before a request with these headers. */
async function preflight(page: Replay, url: string, method: string, names: readonly string[]): Promise<void> {
  const { status, headers } = await page.ask('OPTIONS', url, {
    headers: { 'access-control-request-method': method, 'access-control-request-headers': names.join(',') },
  });
  assert.ok(status >= 200 && status < 300, `${method} ${url} ${status}`);
  assert.ok([origin, '*'].includes(String(headers['access-control-allow-origin'])));
  const allowed = listOf(headers['access-control-allow-headers']);
  for (const name of names) assert.ok(allowed.includes(name), `${url} refuses ${name}`);
  const safe = ['GET', 'HEAD', 'POST'].includes(method); // CORS-safelisted methods need no mention
  assert.ok(safe || listOf(headers['access-control-allow-methods']).includes(method.toLowerCase()), method);
}

describe('MCP Inspector, direct mode', () => {
  it('gets through every preflight, and may read the challenge and the session', async () => {
    const page = new Replay(running.url, { origin, 'user-agent': 'Mozilla/5.0' });
    await preflight(page, page.url, 'POST', ['content-type']);
    const refused = await page.initialize();
    assert.equal(refused.status, 401);
    assertReadable(refused, ['www-authenticate']);
    const document = challenged(refused, 'resource_metadata');
    await preflight(page, document, 'GET', ['mcp-protocol-version']);
    const metadata = await page.get(document, { 'mcp-protocol-version': '2025-11-25' });
    assertReadable(metadata);
    const issuer = new URL(metadata.body.authorization_servers[0]);
    const serverDocument = `${issuer.origin}/.well-known/oauth-authorization-server${issuer.pathname}`;
    await preflight(page, serverDocument, 'GET', ['mcp-protocol-version']);
    const { body: server, ...answer } = await page.get(serverDocument, {
      'mcp-protocol-version': '2025-11-25',
    });
    assertReadable({ body: server, ...answer });

    const redirect_uri = `${origin}/oauth/callback`;
    await preflight(page, server.registration_endpoint, 'POST', ['content-type']);
    const registered = await page.ask('POST', server.registration_endpoint, {
      json: {
        client_name: 'MCP Inspector',
        redirect_uris: [redirect_uri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    });
    assert.equal(registered.status, 201);
    assertReadable(registered);
    const { client_id } = registered.body;
    const request = { client_id, redirect_uri, scope: challenged(refused, 'scope'), resource: page.url };
    const { code, verifier } = await page.authorize(server.authorization_endpoint, request);
    const tokens = await page.ask('POST', server.token_endpoint, {
      form: {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        client_id,
        redirect_uri,
        resource: page.url,
      },
    });
    assert.equal(tokens.status, 200);
    assertReadable(tokens);

    const authorization = `Bearer ${tokens.body.access_token}`;
    await preflight(page, page.url, 'POST', [
      'authorization',
      'content-type',
      'mcp-protocol-version',
      'mcp-session-id',
    ]);
    const opened = await page.initialize({ authorization });
    assertReadable(opened, ['mcp-session-id', 'retry-after']);
    const headers = {
      authorization,
      'mcp-session-id': String(opened.headers['mcp-session-id']),
      'mcp-protocol-version': '2025-11-25',
    };
    const list = await page.rpc({ method: 'tools/list' }, headers);
    assertReadable(list);
    assert.ok(list.body.result.tools.length > 3);
    const write = {
      method: 'tools/call',
      params: { name: 'write_note', arguments: { name: 'i', body: 'b' } },
    };
    const narrow = await page.rpc(write, headers);
    assert.equal(narrow.status, 403);
    assertReadable(narrow, ['www-authenticate']);
    await preflight(page, page.url, 'DELETE', ['authorization', 'mcp-session-id', 'mcp-protocol-version']);
    const ended = await page.ask('DELETE', page.url, { headers });
    assert.ok(ended.status < 300);
    assertReadable(ended);
  });

  it('asks by the names of 2026-07-28 too', async () => {
    const page = new Replay(running.url, { origin });
    const names = [
      'authorization',
      'content-type',
      'mcp-protocol-version',
      'mcp-method',
      'mcp-name',
      'mcp-param-region',
    ];
    await preflight(page, page.url, 'POST', names);
  });

  it('is the only page that gets through: another is told nothing', async () => {
    const page = new Replay(running.url, { origin: 'https://evil.example' });
    const asked = await page.ask('OPTIONS', page.url, {
      headers: { 'access-control-request-method': 'POST' },
    });
    assert.equal(asked.headers['access-control-allow-origin'], undefined);
    const sent = await page.initialize();
    assert.equal(sent.status, 403);
    assert.equal(sent.headers['access-control-allow-origin'], undefined);
  });
});
