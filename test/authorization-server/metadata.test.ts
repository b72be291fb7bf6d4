import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import {
  alice,
  codeRequest,
  errorTarget,
  formsOf,
  obtainToken,
  type RunningAuthorizationServer,
  register,
  startAuthorizationServer,
} from './support.ts';

/** `fetch` does not let a Host header through. */
function rawRequest(
  url: string,
  { method = 'GET', headers = {}, body = '' }: { method?: string; headers?: object; body?: string },
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers: { ...headers } }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () => {
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body: String(Buffer.concat(chunks)) });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const lies = {
  host: 'evil.example',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'https',
  'x-original-url': '/evil',
  forwarded: 'host=evil.example;proto=https',
};

describe('metadata', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer({ resources: ['/mcp', '/tickets/mcp'] });
  });
  after(() => as.close());

  const paths = [
    '/.well-known/oauth-authorization-server/oauth',
    '/.well-known/openid-configuration/oauth',
    '/oauth/.well-known/openid-configuration',
    '/oauth/.well-known/oauth-authorization-server',
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/mcp',
    '/.well-known/openid-configuration/tickets/mcp',
    '/mcp/.well-known/openid-configuration',
    '/tickets/mcp/.well-known/oauth-authorization-server',
  ];

  it('is the same document at every path that clients try, for GET and HEAD, from any origin', async () => {
    const documents = new Set<string>();
    for (const path of paths) {
      assert.ok(as.server.owns(path), path);
      const response = await fetch(as.url + path, { headers: { origin: 'https://inspector.example' } });
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get('access-control-allow-origin'), '*');
      assert.equal(response.headers.get('access-control-allow-credentials'), null);
      assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
      documents.add(await response.text());
      const head = await fetch(as.url + path, { method: 'HEAD' });
      assert.deepEqual([head.status, await head.text()], [200, '']);
      const preflight = await fetch(as.url + path, { method: 'OPTIONS' });
      assert.equal(preflight.status, 204);
      assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /MCP-Protocol-Version/i);
    }
    assert.equal(documents.size, 1);
  });

  it('tells the truth', async () => {
    const document = (await (await fetch(as.url + (paths[0] ?? ''))).json()) as Record<string, unknown>;
    assert.equal(document['issuer'], `${as.url}/oauth`);
    assert.deepEqual(document['code_challenge_methods_supported'], ['S256']);
    assert.equal(document['authorization_response_iss_parameter_supported'], true);
    assert.equal(document['client_id_metadata_document_supported'], true);
    assert.ok((document['token_endpoint_auth_methods_supported'] as string[]).includes('none'));
    assert.deepEqual(document['scopes_supported'], [
      'mcp:tools:read',
      'mcp:tools:write',
      'mcp:tools:admin',
      'mcp:resources:read',
      'offline_access',
    ]);
    for (const [name, value] of Object.entries(document)) {
      if (!name.endsWith('_endpoint') && name !== 'jwks_uri') continue;
      const method = name === 'jwks_uri' || name === 'authorization_endpoint' ? 'GET' : 'POST';
      const { status } = await fetch(String(value), { method, redirect: 'manual' });
      assert.ok(status !== 404 && status !== 405 && status < 500, `${name} answers ${status}`);
    }
  });

  it('does not claim what is switched off', async () => {
    const bare = await startAuthorizationServer({
      clients: { metadataDocuments: false, dynamicRegistration: null },
    });
    try {
      const document = (await (await fetch(bare.url + (paths[0] ?? ''))).json()) as Record<string, unknown>;
      assert.equal(document['client_id_metadata_document_supported'], false);
      assert.ok(!('registration_endpoint' in document));
      assert.equal((await fetch(`${bare.issuer}/register`, { method: 'POST' })).status, 404);
    } finally {
      await bare.close();
    }
  });

  it('believes no Host and no forwarding header (traps 1 and 2)', async () => {
    for (const path of paths) {
      const { body } = await rawRequest(as.url + path, { headers: lies });
      assert.doesNotMatch(body, /evil/);
      assert.match(body, new RegExp(`"token_endpoint":"${as.url}/oauth/token"`));
    }
  });

  it('believes them nowhere else: redirects, cookies and registration answers', async () => {
    const { client_id } = await register(as);
    const { url } = codeRequest(as, client_id);
    const started = await rawRequest(url.href, { headers: lies });
    assert.equal(started.status, 303);
    assert.ok(String(started.headers['location']).startsWith(`${as.url}/oauth/interaction/`));
    const cookies = (started.headers['set-cookie'] as string[]).join('\n');
    assert.doesNotMatch(cookies, /evil|domain|secure/i);
    assert.match(cookies, /path=\/oauth\/authorize\//);
    // The way back from the sign-in was stored when the lies were told.
    const cookie = (started.headers['set-cookie'] as string[]).map((line) => line.split(';')[0]).join('; ');
    const page = await fetch(String(started.headers['location']), { headers: { cookie } });
    const formCookie = page.headers.getSetCookie().map((line) => line.split(';')[0]);
    const [form] = formsOf(await page.text());
    const signedIn = await fetch(form?.action ?? '', {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: [cookie, ...formCookie].join('; ') },
      body: new URLSearchParams({ ...form?.fields, ...alice }),
    });
    assert.equal(signedIn.status, 303);
    assert.ok(signedIn.headers.get('location')?.startsWith(`${as.url}/oauth/authorize/`));
    const registered = await rawRequest(`${as.issuer}/register`, {
      method: 'POST',
      headers: { ...lies, 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/cb'] }),
    });
    assert.equal(registered.status, 201);
    assert.doesNotMatch(registered.body, /evil/);
  });

  it('publishes exactly the keys that the gateway verifies with, and no private part', async () => {
    const response = await fetch(`${as.issuer}/jwks`);
    const text = await response.text();
    assert.deepEqual(JSON.parse(text), as.server.keys());
    assert.doesNotMatch(text, /"d":/);
    assert.equal(as.server.keys(), as.server.keys());
  });

  it('owns its paths and no others', () => {
    for (const path of ['/oauth', '/oauth/token', '/setup', '/account', '/account/login', ...paths]) {
      assert.ok(as.server.owns(path), path);
    }
    for (const path of ['/', '/mcp', '/oauthx', '/setups', '/.well-known/oauth-protected-resource/mcp']) {
      assert.ok(!as.server.owns(path), path);
    }
  });

  it('asks a client that names no resource to name one when there are several (trap 11)', async () => {
    const { client_id } = await register(as);
    const { url } = codeRequest(as, client_id, { resource: null });
    const response = await fetch(url, { redirect: 'manual' });
    const { searchParams } = await errorTarget(response);
    assert.equal(searchParams.get('error'), 'invalid_target');
    assert.match(searchParams.get('error_description') ?? '', /resource parameter/);
    assert.equal(searchParams.get('iss'), as.issuer);
  });

  it('issues a token for the resource that was asked for, not for its neighbour', async () => {
    const { client_id } = await register(as);
    const { access_token } = await obtainToken(as, client_id, {
      parameters: { resource: `${as.url}/tickets/mcp` },
    });
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString());
    assert.equal(claims.aud, `${as.url}/tickets/mcp`);
  });
});
