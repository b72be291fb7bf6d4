import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { startIssuedGateway } from './gateway.ts';
import { challenged, Replay } from './replay.ts';
import { type ReplayGateway, startReplayGateway } from './replay-gateway.ts';

// What clients send that run in their vendor's cloud, as known in November 2026 (docs/clients.md).

let running: ReplayGateway;
before(async () => {
  // A server of both eras, as SDK 2.x makes them, refuses ChatGPT's mixture itself: bytes go through as they are.
  running = await startReplayGateway({ era: 'legacy' });
});
after(() => running.close());

describe('claude.ai and Claude Desktop', () => {
  const client_id = 'https://claude.ai/oauth/mcp-oauth-client-metadata';
  const redirect_uri = 'https://claude.ai/api/mcp/auth_callback';

  it('choose a metadata document, take scopes from resource metadata, and step up by themselves', async () => {
    const { url, documents } = running;
    documents.set(client_id, {
      client_id,
      client_name: 'Claude',
      redirect_uris: [redirect_uri, 'https://claude.com/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    });
    const claude = new Replay(url, { 'user-agent': 'Claude-User' });
    const refused = await claude.initialize();
    const metadata = await claude.get(challenged(refused, 'resource_metadata'));
    assert.equal(metadata.body.resource, url, 'a resource that is not what was typed: no request ever comes');
    const root = await claude.get(new URL('/.well-known/oauth-protected-resource', url).href);
    assert.deepEqual(root.body, metadata.body);
    assert.deepEqual(metadata.body.scopes_supported, challenged(refused, 'scope').split(' '));
    const [issuer] = metadata.body.authorization_servers;
    const { body: server } = await claude.get(
      `${new URL(issuer).origin}/.well-known/oauth-authorization-server${new URL(issuer).pathname}`,
    );
    assert.equal(server.issuer, issuer);
    // Its two conditions for a metadata document; else it registers.
    assert.equal(server.client_id_metadata_document_supported, true);
    assert.ok(server.token_endpoint_auth_methods_supported.includes('none'));

    const signIn = async (scope: string) => {
      const parameters = { client_id, redirect_uri, scope, resource: url };
      const { code, verifier } = await claude.authorize(server.authorization_endpoint, parameters);
      const form = {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        client_id,
        redirect_uri,
      };
      const { status, body } = await claude.ask('POST', server.token_endpoint, {
        form: { ...form, resource: url },
      });
      assert.equal(status, 200, JSON.stringify(body));
      assert.ok(body.refresh_token, 'it would ask the person again every quarter of an hour');
      return body.access_token as string;
    };
    const headers = await claude.session(await signIn(metadata.body.scopes_supported.join(' ')));
    const list = await claude.rpc({ method: 'tools/list' }, headers);
    assert.ok(list.body.result.tools.length > 3);
    const write = {
      method: 'tools/call',
      params: { name: 'write_note', arguments: { name: 'c', body: 'b' } },
    };
    const narrow = await claude.rpc(write, headers);
    assert.equal(narrow.status, 403);
    assert.equal(challenged(narrow, 'error'), 'insufficient_scope');
    const wider = { ...headers, authorization: `Bearer ${await signIn(challenged(narrow, 'scope'))}` };
    assert.equal((await claude.rpc(write, wider)).body.result.content[0].text, 'wrote c');
    assert.deepEqual(running.fetched, [client_id]);
    assert.deepEqual(claude.lines, [
      'POST /mcp 401',
      'GET /.well-known/oauth-protected-resource/mcp 200',
      'GET /.well-known/oauth-protected-resource 200',
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

/** 2026-07-28 keys, which it sends in requests of 2025-11-25, and keys of its own. */
const mixedMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'ChatGPT', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
  'openai/userAgent': 'ChatGPT',
  'openai/locale': 'en-GB',
};

describe('ChatGPT', () => {
  const client_id = 'https://chatgpt.com/oauth/mcp/client.json';
  const jwks_uri = 'https://chatgpt.com/oauth/mcp/jwks.json';
  const redirect_uri = 'https://chatgpt.com/connector_platform_oauth_redirect';

  it('proves itself by private_key_jwt with a doubled slash in aud, and mixes the eras', async () => {
    const { url, documents } = running;
    const { publicKey, privateKey } = await generateKeyPair('RS256');
    documents.set(jwks_uri, {
      keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' }],
    });
    documents.set(client_id, {
      client_id,
      client_name: 'ChatGPT',
      redirect_uris: [redirect_uri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'RS256',
      jwks_uri,
    });
    const chatgpt = new Replay(url, { 'user-agent': 'openai-mcp/1.0.0' });
    const refused = await chatgpt.initialize();
    const scope = challenged(refused, 'scope');
    assert.notEqual(scope, '', 'it reads the scope from the 401');
    const metadata = await chatgpt.get(challenged(refused, 'resource_metadata'));
    const issuer = new URL(metadata.body.authorization_servers[0]);
    const { body: server } = await chatgpt.get(
      `${issuer.origin}/.well-known/oauth-authorization-server${issuer.pathname}`,
    );
    assert.ok(server.token_endpoint_auth_methods_supported.includes('private_key_jwt'));
    assert.ok(server.token_endpoint_auth_signing_alg_values_supported.includes('RS256'));
    const signIn = async (wanted: string) => {
      const parameters = { client_id, redirect_uri, scope: wanted, resource: url };
      const { code, verifier } = await chatgpt.authorize(server.authorization_endpoint, parameters);
      const assertion = await new SignJWT({})
        .setProtectedHeader({ alg: 'RS256', kid: 'k' })
        .setIssuer(client_id)
        .setSubject(client_id)
        .setAudience(`${server.issuer}//token`)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey);
      const { status, body } = await chatgpt.ask('POST', server.token_endpoint, {
        form: {
          grant_type: 'authorization_code',
          code,
          code_verifier: verifier,
          client_id,
          redirect_uri,
          resource: url,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        },
      });
      assert.equal(status, 200, JSON.stringify(body));
      return body.access_token as string;
    };
    const headers = await chatgpt.session(await signIn(scope));
    assert.equal(headers['mcp-protocol-version'], '2025-11-25');
    const list = await chatgpt.rpc({ method: 'tools/list', params: { _meta: mixedMeta } }, headers);
    assert.equal(list.status, 200, JSON.stringify(list.body));
    const tools = new Map(list.body.result.tools.map((tool: { name: string }) => [tool.name, tool]));
    const listed = tools.get('write_note') as {
      securitySchemes: unknown;
      _meta: object;
      description: string;
    };
    const needed = [{ type: 'oauth2', scopes: ['mcp:tools:write'] }];
    assert.deepEqual(listed.securitySchemes, needed, 'without, it steps up in circles');
    assert.deepEqual(listed._meta, { securitySchemes: needed });
    assert.match(listed.description, /Locked: needs the scope mcp:tools:write/);
    const call = (name: string, args: object, more = {}) =>
      chatgpt.rpc(
        { method: 'tools/call', params: { name, arguments: args, _meta: mixedMeta } },
        { ...headers, ...more },
      );
    assert.equal((await call('echo', { text: 'seen' })).body.result.content[0].text, 'seen');
    const narrow = await call('write_note', { name: 'g', body: 'b' });
    assert.equal(narrow.status, 403);
    const authorization = `Bearer ${await signIn(challenged(narrow, 'scope'))}`;
    assert.equal((await call('write_note', { name: 'g', body: 'b' }, { authorization })).status, 200);
    assert.equal(running.fixture.notes.get('g'), 'b');
    assert.deepEqual(chatgpt.lines, [
      'POST /mcp 401',
      'GET /.well-known/oauth-protected-resource/mcp 200',
      'GET /.well-known/oauth-authorization-server/oauth 200',
      'POST /oauth/token 200',
      'POST /mcp 200',
      'POST /mcp 202',
      'POST /mcp 200',
      'POST /mcp 200',
      'POST /mcp 403',
      'POST /oauth/token 200',
      'POST /mcp 200',
    ]);
  });
});

describe('ChatGPT, in front of a command', () => {
  it('may mix the eras whatever the command speaks', async () => {
    const stdio = fileURLToPath(new URL('../support/fixture-server/stdio.ts', import.meta.url));
    const issued = await startIssuedGateway({ command: [process.execPath, stdio] });
    try {
      const chatgpt = new Replay(`${issued.gateway.origin}/mcp`, { 'user-agent': 'openai-mcp/1.0.0' });
      const headers = await chatgpt.session(await issued.token());
      const params = { name: 'echo', arguments: { text: 'seen' }, _meta: mixedMeta };
      const { body } = await chatgpt.rpc({ method: 'tools/call', params }, headers);
      assert.equal(body.result?.content[0].text, 'seen', JSON.stringify(body));
    } finally {
      await issued.close();
    }
  });
});
