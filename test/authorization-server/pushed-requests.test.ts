import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { UnsecuredJWT } from 'jose';
import {
  alice,
  bob,
  codeRequest,
  type RunningAuthorizationServer,
  redirectUri,
  register,
  requestToken,
  signInAndConsent,
  startAuthorizationServer,
} from './support.ts';

interface Pushed {
  readonly status: number;
  readonly request_uri: string;
  readonly error?: string;
}

describe('pushed authorization requests (RFC 9126)', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer();
  });
  after(() => as.close());

  async function push(parameters: URLSearchParams | Record<string, string>): Promise<Pushed> {
    const body = new URLSearchParams(parameters);
    const response = await fetch(`${as.issuer}/par`, { method: 'POST', body });
    return { status: response.status, ...((await response.json()) as Omit<Pushed, 'status'>) };
  }
  const authorizeUrl = (clientId: string, requestUri: string, more: Record<string, string> = {}) => {
    const query = new URLSearchParams({ client_id: clientId, request_uri: requestUri, ...more });
    return `${as.issuer}/authorize?${query}`;
  };

  it('lead to the same token as a plain request', async () => {
    const { client_id } = await register(as);
    const { url, verifier } = codeRequest(as, client_id, { scope: 'mcp:tools:write' });
    const pushed = await push(url.searchParams);
    assert.equal(pushed.status, 201);
    const back = await signInAndConsent(authorizeUrl(client_id, pushed.request_uri), alice);
    assert.equal(back.searchParams.get('state'), 'opaque-state');
    const tokens = await requestToken(as, {
      grant_type: 'authorization_code',
      client_id,
      code: back.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
    assert.deepEqual([tokens.status, tokens.scope], [200, 'mcp:tools:write']);
    const again = await fetch(authorizeUrl(client_id, pushed.request_uri), { redirect: 'manual' });
    assert.equal(again.status, 400, 'once');
  });

  it('are advertised, and answered to browsers of any origin', async () => {
    const metadata = (await (
      await fetch(`${as.url}/.well-known/oauth-authorization-server/oauth`)
    ).json()) as {
      pushed_authorization_request_endpoint: string;
    };
    assert.equal(metadata.pushed_authorization_request_endpoint, `${as.issuer}/par`);
    const preflight = await fetch(`${as.issuer}/par`, { method: 'OPTIONS' });
    assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, '*']);
    assert.equal((await fetch(`${as.issuer}/par`)).status, 405);
  });

  /** Signs in and returns the scope of the token, or the error. */
  async function outcome(pushing: URLSearchParams, { more = {}, credentials = alice, verifier = '' } = {}) {
    const clientId = pushing.get('client_id') ?? '';
    const pushed = await push(pushing);
    if (pushed.status !== 201) return pushed.error;
    const back = await signInAndConsent(authorizeUrl(clientId, pushed.request_uri, more), credentials);
    const code = back.searchParams.get('code');
    if (code === null) return back.searchParams.get('error');
    const tokens = await requestToken(as, {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
    return tokens.scope ?? tokens.error;
  }

  it('are held to the same rules: unknown scopes dropped, baseline where none is named, role as ceiling', async () => {
    const { client_id } = await register(as);
    const odd = codeRequest(as, client_id, { scope: 'openid profile claudeai mcp:tools:write', nonce: 'n' });
    assert.equal(await outcome(odd.url.searchParams, odd), 'mcp:tools:write');
    const none = codeRequest(as, client_id);
    assert.equal(await outcome(none.url.searchParams, none), 'mcp:tools:read mcp:resources:read');
    const beyond = codeRequest(as, client_id, { scope: 'mcp:tools:read mcp:tools:admin' });
    assert.equal(await outcome(beyond.url.searchParams, { ...beyond, credentials: bob }), 'mcp:tools:read');
  });

  it('cannot be changed by parameters beside the request_uri', async () => {
    const { client_id } = await register(as);
    const { url, verifier } = codeRequest(as, client_id, { scope: 'mcp:tools:read' });
    const more = {
      scope: 'mcp:tools:read mcp:tools:admin',
      redirect_uri: 'https://evil.example/cb',
      resource: 'https://other.example/mcp',
      code_challenge: 'x'.repeat(43),
      state: 'forged',
    };
    assert.equal(await outcome(url.searchParams, { verifier, more }), 'mcp:tools:read');
  });

  for (const [what, change] of Object.entries<Record<string, string | null>>({
    'an unregistered redirect': { redirect_uri: 'https://evil.example/cb' },
    'a script as redirect': { redirect_uri: 'javascript:alert(1)' },
    'no PKCE challenge': { code_challenge: null },
    'the plain method': { code_challenge_method: 'plain' },
    'a resource that is not ours': { resource: 'https://other.example/mcp' },
    'the implicit flow': { response_type: 'token' },
    'an unsigned request object': { request: new UnsecuredJWT({ scope: 'mcp:tools:admin' }).encode() },
    'a request_uri of its own': { request_uri: 'https://evil.example/request.jwt' },
    'a pushed request_uri': { request_uri: 'urn:ietf:params:oauth:request_uri:x' },
    'no client_id': { client_id: null },
    'a registration in it': { registration: '{}' },
  })) {
    it(`are refused with ${what}`, async () => {
      const { client_id } = await register(as);
      const pushed = await push(codeRequest(as, client_id, change).url.searchParams);
      assert.ok(pushed.status === 400 || pushed.status === 401, `${pushed.status}`);
      assert.equal(pushed.request_uri, undefined);
    });
  }

  it('are refused with a parameter twice', async () => {
    const { client_id } = await register(as);
    for (const name of ['scope', 'client_id', 'redirect_uri', 'code_challenge', 'prompt']) {
      const { searchParams } = codeRequest(as, client_id, { scope: 'mcp:tools:read', prompt: 'login' }).url;
      searchParams.append(name, 'other');
      assert.equal((await push(searchParams)).status, 400, name);
    }
  });

  it('belong to the client that pushed them', async () => {
    const [one, two] = [await register(as), await register(as)];
    const pushed = await push(codeRequest(as, one.client_id).url.searchParams);
    const response = await fetch(authorizeUrl(two.client_id, pushed.request_uri), { redirect: 'manual' });
    assert.equal(response.status, 400);
    assert.equal(response.headers.get('location'), null);
  });

  it('are not accepted from a client that does not authenticate as it registered', async () => {
    const { client_id } = await register(as, { token_endpoint_auth_method: 'client_secret_post' });
    const { url } = codeRequest(as, client_id);
    assert.equal((await push(url.searchParams)).status, 401);
    url.searchParams.set('client_secret', 'guess');
    assert.equal((await push(url.searchParams)).status, 401);
  });

  for (const requestUri of [
    'urn:ietf:params:oauth:request_uri:nope',
    'https://evil.example/request.jwt',
    'urn:ietf:params:oauth:request_uri:',
    'file:///etc/passwd',
  ]) {
    it(`are not looked for at ${requestUri}`, async () => {
      const { client_id } = await register(as);
      const response = await fetch(authorizeUrl(client_id, requestUri), { redirect: 'manual' });
      assert.deepEqual([response.status, response.headers.get('location')], [400, null]);
    });
  }
});
