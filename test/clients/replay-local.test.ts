import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { challenged, Replay } from './replay.ts';
import { type ReplayGateway, startReplayGateway } from './replay-gateway.ts';

// What clients on the person's own machine send, as known in November 2026 (docs/clients.md).

let running: ReplayGateway;
before(async () => {
  running = await startReplayGateway();
});
after(() => running.close());

const echo = { method: 'tools/call', params: { name: 'echo', arguments: { text: 'seen' } } };
const write = { method: 'tools/call', params: { name: 'write_note', arguments: { name: 'l', body: 'b' } } };

interface Found {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly registration_endpoint: string;
  readonly scopes_supported: readonly string[];
  readonly code_challenge_methods_supported: readonly string[];
}

/** RFC 8414 section 3.1: the well-known part goes between host and path. */
const issuerDocument = (issuer: string) => {
  const { origin, pathname } = new URL(issuer);
  return `${origin}/.well-known/oauth-authorization-server${pathname}`;
};

interface Client {
  readonly client_id: string;
  readonly redirect_uri: string;
}

/** Code and token for a public client, as all of them do it. */
async function signIn(client: Replay, server: Found, { client_id, redirect_uri }: Client, scope: string) {
  const resource = client.url;
  const request = { client_id, redirect_uri, resource, ...(scope === '' ? {} : { scope }) };
  const { code, verifier, iss } = await client.authorize(server.authorization_endpoint, request);
  assert.equal(iss, server.issuer);
  const { status, body } = await client.ask('POST', server.token_endpoint, {
    headers: { accept: 'application/json' },
    form: {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      client_id,
      redirect_uri,
      resource,
    },
  });
  assert.equal(status, 200, JSON.stringify(body));
  return body as { access_token: string; refresh_token?: string; scope: string };
}

async function register(client: Replay, server: Found, metadata: Record<string, unknown>): Promise<string> {
  const { status, body } = await client.ask('POST', server.registration_endpoint, {
    headers: { accept: 'application/json' },
    json: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      ...metadata,
    },
  });
  assert.equal(status, 201, JSON.stringify(body));
  assert.equal(body.client_secret, undefined);
  return body.client_id as string;
}

describe('Claude Code', () => {
  const client_id = 'https://claude.ai/oauth/claude-code-client-metadata';

  it('comes back on whatever loopback port is free, and reads the scope of a 403', async () => {
    running.documents.set(client_id, {
      client_id,
      client_name: 'Claude Code',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    });
    const code = new Replay(running.url, { 'user-agent': 'claude-code/2.1.0 (cli)' });
    const refused = await code.initialize();
    const { body: metadata } = await code.get(challenged(refused, 'resource_metadata'));
    const { body: server } = await code.get(issuerDocument(metadata.authorization_servers[0]));
    const client = { client_id, redirect_uri: 'http://localhost:52117/callback' };
    const headers = await code.session(
      (await signIn(code, server, client, challenged(refused, 'scope'))).access_token,
    );
    assert.equal((await code.rpc(echo, headers)).body.result.content[0].text, 'seen');
    const narrow = await code.rpc(write, headers);
    assert.equal(narrow.status, 403);
    assert.match(
      challenged(narrow, 'scope'),
      /mcp:tools:read .*mcp:tools:write/,
      'it keeps this and nothing else',
    );
    // The person signs in again by hand; the port is another one.
    const again = { client_id, redirect_uri: 'http://localhost:61002/callback' };
    const wider = await signIn(code, server, again, challenged(narrow, 'scope'));
    const authorization = `Bearer ${wider.access_token}`;
    assert.equal((await code.rpc(write, { ...headers, authorization })).status, 200);
    assert.deepEqual(code.lines, [
      'POST /mcp 401',
      'GET /.well-known/oauth-protected-resource/mcp 200',
      'GET /.well-known/oauth-authorization-server/oauth 200',
      'POST /oauth/token 200',
      'POST /mcp 200',
      'POST /mcp 202',
      'POST /mcp 200',
      'POST /mcp 403',
      'POST /oauth/token 200',
      'POST /mcp 200',
    ]);
  });
});

describe('VS Code and Copilot', () => {
  it('compare the resource character for character, and come back to a fixed port or vscode.dev', async () => {
    const code = new Replay(running.url, { 'user-agent': 'vscode/1.118.0' });
    const refused = await code.initialize();
    const { body: metadata } = await code.get(challenged(refused, 'resource_metadata'), {
      'mcp-protocol-version': '2025-11-25',
    });
    assert.equal(metadata.resource, running.url);
    const { body: server } = await code.get(issuerDocument(metadata.authorization_servers[0]));
    const client_id = 'https://vscode.dev/oauth/client-metadata.json';
    const redirect_uris = ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'];
    running.documents.set(client_id, {
      client_id,
      client_name: 'Visual Studio Code',
      redirect_uris,
      token_endpoint_auth_method: 'none',
    });
    for (const redirect_uri of redirect_uris) {
      const token = await signIn(
        code,
        server,
        { client_id, redirect_uri },
        metadata.scopes_supported.join(' '),
      );
      const headers = await code.session(token.access_token);
      assert.equal((await code.rpc(echo, headers)).body.result.content[0].text, 'seen');
    }
    assert.deepEqual(code.lines.slice(0, 4), [
      'POST /mcp 401',
      'GET /.well-known/oauth-protected-resource/mcp 200',
      'GET /.well-known/oauth-authorization-server/oauth 200',
      'POST /oauth/token 200',
    ]);
  });

  it('is told nothing at another spelling of the URL', async () => {
    const code = new Replay(`${running.url}/`, {});
    assert.equal((await code.initialize()).status, 404);
  });
});

describe('Codex', () => {
  it('asks for the scopes of the authorization server at once: it cannot step up', async () => {
    const codex = new Replay(running.url, { 'user-agent': 'codex-mcp-client/0.98.0' });
    await codex.initialize();
    const { body: metadata } = await codex.get(
      new URL('/.well-known/oauth-protected-resource/mcp', running.url).href,
    );
    const { body: server } = await codex.get(issuerDocument(metadata.authorization_servers[0]));
    const redirect_uri = 'http://127.0.0.1:49152/callback';
    const client_id = await register(codex, server, { client_name: 'Codex', redirect_uris: [redirect_uri] });
    const token = await signIn(codex, server, { client_id, redirect_uri }, server.scopes_supported.join(' '));
    for (const scope of ['mcp:tools:read', 'mcp:tools:write', 'mcp:tools:admin'])
      assert.ok(token.scope.split(' ').includes(scope), token.scope);
    const headers = await codex.session(token.access_token);
    assert.equal((await codex.rpc(write, headers)).body.result.content[0].text, 'wrote l');
    assert.deepEqual(codex.lines, [
      'POST /mcp 401',
      'GET /.well-known/oauth-protected-resource/mcp 200',
      'GET /.well-known/oauth-authorization-server/oauth 200',
      'POST /oauth/register 201',
      'POST /oauth/token 200',
      'POST /mcp 200',
      'POST /mcp 202',
      'POST /mcp 200',
    ]);
  });
});

describe('gemini-cli and Antigravity', () => {
  it('go by the path-inserted metadata, and start without scopes', async () => {
    const gemini = new Replay(running.url, { 'user-agent': 'gemini-cli-mcp-client/0.31.0' });
    await gemini.initialize();
    const { body: metadata } = await gemini.get(
      new URL('/.well-known/oauth-protected-resource/mcp', running.url).href,
    );
    const { body: server } = await gemini.get(issuerDocument(metadata.authorization_servers[0]));
    const redirect_uri = 'http://localhost:7777/oauth/callback';
    const client_id = await register(gemini, server, {
      client_name: 'Gemini CLI MCP Client',
      redirect_uris: [redirect_uri],
    });
    const headers = await gemini.session(
      (await signIn(gemini, server, { client_id, redirect_uri }, '')).access_token,
    );
    assert.equal((await gemini.rpc(echo, headers)).body.result.content[0].text, 'seen');
  });
});

describe('Cursor', () => {
  for (const redirect_uri of [
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'http://localhost:8787/callback',
  ])
    it(`registers and comes back to ${new URL(redirect_uri).protocol}`, async () => {
      const cursor = new Replay(running.url, { 'user-agent': 'cursor/3.0.0' });
      const refused = await cursor.initialize();
      const { body: metadata } = await cursor.get(challenged(refused, 'resource_metadata'));
      const { body: server } = await cursor.get(issuerDocument(metadata.authorization_servers[0]));
      const client_id = await register(cursor, server, {
        client_name: 'Cursor',
        redirect_uris: [redirect_uri],
      });
      const token = await signIn(cursor, server, { client_id, redirect_uri }, challenged(refused, 'scope'));
      const headers = await cursor.session(token.access_token);
      assert.equal((await cursor.rpc(echo, headers)).body.result.content[0].text, 'seen');
      assert.equal(cursor.lines[3], 'POST /oauth/register 201');
    });
});

describe('mcp-remote', () => {
  it('is told invalid_grant for revoked tokens, and a challenge, so that it stops trying', async () => {
    const remote = new Replay(running.url, { 'user-agent': 'mcp-remote/0.15.1' });
    const refused = await remote.initialize();
    const { body: metadata } = await remote.get(challenged(refused, 'resource_metadata'));
    const { body: server } = await remote.get(issuerDocument(metadata.authorization_servers[0]));
    const redirect_uri = 'http://localhost:21444/oauth/callback';
    const client_id = await register(remote, server, {
      client_name: 'MCP CLI Proxy',
      redirect_uris: [redirect_uri],
    });
    const token = await signIn(remote, server, { client_id, redirect_uri }, challenged(refused, 'scope'));
    const headers = await remote.session(token.access_token);
    const form = { client_id, token: token.refresh_token ?? '' };
    await remote.ask('POST', `${server.issuer}/revoke`, { form });
    const gone = await remote.rpc(echo, headers);
    assert.equal(gone.status, 401);
    assert.equal(challenged(gone, 'error'), 'invalid_token');
    assert.ok(challenged(gone, 'resource_metadata'));
    const { status, body } = await remote.ask('POST', server.token_endpoint, {
      form: {
        grant_type: 'refresh_token',
        refresh_token: token.refresh_token ?? '',
        client_id,
        resource: running.url,
      },
    });
    assert.deepEqual([status, body.error], [400, 'invalid_grant']);
  });
});
