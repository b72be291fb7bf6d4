import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { callbackPath, comeBack, goToProvider } from '../authorization-server/provider-sign-in.ts';
import { Browser } from '../authorization-server/support.ts';
import { freePort } from '../clients/gateway.ts';
import { modernCall, rpc, until } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import {
  type Glewlwyd,
  glewlwydClient,
  isGlewlwydInstalled,
  protectedResource,
  protectedScope,
  startGlewlwyd,
} from '../support/identity-provider/glewlwyd.ts';
import { type GatewayProcess, obtainToken, startGatewayProcess } from './gateway-process.ts';

const skip =
  !isGlewlwydInstalled &&
  'NO GLEWLWYD FOUND: serve is NOT tested against another provider (apt-get install glewlwyd)';
const password = 'a password of the provider';
const environment = { PROVIDER_SECRET: glewlwydClient.secret };
const clientSecret = { env: 'PROVIDER_SECRET' };

it('finds glewlwyd in CI', { skip: !process.env['CI'] && 'not in CI' }, () => assert.equal(skip, false));

describe('portcullis serve and glewlwyd', { skip }, () => {
  let upstream: FixtureServer;
  let provider: Glewlwyd | undefined;
  let gateway: GatewayProcess | undefined;
  before(async () => {
    upstream = await startFixtureServer({ port: 0 });
  });
  after(async () => {
    await upstream?.close();
  });

  async function start(options: {
    readonly redirectUri: string;
    readonly publicUrl: string;
    readonly port: number;
    readonly auth: (issuer: string) => Record<string, unknown>;
  }): Promise<{ readonly url: string; readonly provider: Glewlwyd }> {
    const { redirectUri, publicUrl, port, auth } = options;
    const started = await startGlewlwyd(redirectUri);
    provider = started;
    await started.addUser({ username: 'dora', password, groups: ['staff'] });
    gateway = await startGatewayProcess({
      publicUrl,
      port,
      environment,
      upstream: { url: upstream.url },
      auth: auth(started.issuer),
    });
    return { url: `http://127.0.0.1:${port}/mcp`, provider: started };
  }
  async function stop() {
    await gateway?.close();
    await provider?.close();
    gateway = undefined;
    provider = undefined;
  }

  it('signs in there: registration, redirect, login, consent, code, token, tools', async (t) => {
    t.after(stop);
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    const { url, provider } = await start({
      redirectUri: publicUrl + callbackPath,
      publicUrl,
      port,
      auth: (issuer) => ({
        embedded: {
          signIn: ['oidc'],
          oidc: {
            issuer,
            name: 'Example Corp',
            clientId: glewlwydClient.id,
            clientSecret,
            scopes: ['openid'],
            roles: { admin: ['admins'] },
            allow: { groups: ['staff'] },
          },
        },
      }),
    });
    const token = await obtainToken(url, async (authorization) => {
      const browser = new Browser();
      const there = await goToProvider(browser, { url: authorization });
      there.searchParams.set('g_continue', '');
      const cookie = await provider.signIn('dora', password);
      const response = await fetch(there, { redirect: 'manual', headers: { cookie } });
      const { redirect, html } = await comeBack(browser, response.headers.get('location') ?? '');
      assert.ok(redirect, html);
      return redirect;
    });
    assert.ok((await listedTools(url, token)) > 0);
  });

  it('introspects there: accepted, revoked, not a token of theirs, not for us, and no answer', async (t) => {
    t.after(stop);
    const port = await freePort();
    const { url, provider } = await start({
      redirectUri: clientRedirect,
      publicUrl: `http://127.0.0.1:${port}`,
      port,
      auth: (issuer) => ({
        revocation: { withinSeconds: 1 },
        issuers: [
          {
            issuer,
            audience: protectedResource,
            verify: 'introspection',
            introspection: { clientId: glewlwydClient.id, clientSecret },
          },
        ],
      }),
    });
    const status = async (token: string) => (await list(url, token)).status;
    const revoked = await mint(provider, protectedResource);
    const kept = await mint(provider, protectedResource);
    assert.ok((await listedTools(url, revoked)) > 0);
    assert.ok((await listedTools(url, kept)) > 0);
    assert.equal(await status('garbage'), 401);
    assert.equal(await status(await mint(provider, null)), 401, "its audience is glewlwyd's list of scopes");
    await atProvider(provider, 'revoke', { token: revoked });
    await until(async () => assert.equal(await status(revoked), 401));
    assert.equal(await status(kept), 200);
    await provider.stop();
    await until(async () => assert.equal(await status(kept), 503));
  });
});

function list(url: string, token: string): Promise<Response> {
  return modernCall(url, token, { method: 'tools/list', params: {} });
}

async function listedTools(url: string, token: string): Promise<number> {
  const response = await list(url, token);
  assert.equal(response.status, 200, await response.clone().text());
  const { result } = (await rpc(response)) as { result?: { tools?: unknown[] } };
  return result?.tools?.length ?? 0;
}

/** Nobody listens there. */
const clientRedirect = 'http://127.0.0.1:7777/callback';

/** An access token of glewlwyd's own for dora: of this audience (RFC 8707), or of none that is asked for. */
async function mint(provider: Glewlwyd, resource: string | null): Promise<string> {
  const verifier = randomBytes(32).toString('base64url');
  const asked = resource === null ? {} : { resource };
  const url = new URL(`${provider.issuer}/auth`);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: glewlwydClient.id,
    redirect_uri: clientRedirect,
    scope: `openid ${protectedScope}`,
    nonce: randomBytes(12).toString('hex'),
    code_challenge_method: 'S256',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    g_continue: '',
    ...asked,
  }).toString();
  const cookie = await provider.signIn('dora', password);
  const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
  const code = new URL(response.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const answer = await atProvider(provider, 'token', {
    grant_type: 'authorization_code',
    code,
    redirect_uri: clientRedirect,
    code_verifier: verifier,
    ...asked,
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

async function atProvider(
  provider: Glewlwyd,
  endpoint: 'token' | 'revoke',
  form: Record<string, string>,
): Promise<Response> {
  const { id, secret } = glewlwydClient;
  const response = await fetch(`${provider.issuer}/${endpoint}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams(form),
  });
  assert.equal(response.status, 200);
  return response;
}
