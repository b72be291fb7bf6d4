import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeJwt } from 'jose';
import { type Glewlwyd, isGlewlwydInstalled, startGlewlwyd } from '../support/identity-provider/glewlwyd.ts';
import { callbackPath, comeBack, goToProvider, providerConfig } from './provider-sign-in.ts';
import {
  Browser,
  codeRequest,
  movableClock,
  type RunningAuthorizationServer,
  redirectUri,
  refresh,
  register,
  requestToken,
  startAuthorizationServer,
  type TokenAnswer,
} from './support.ts';

const skip =
  !isGlewlwydInstalled &&
  'NO GLEWLWYD FOUND: sign-in is NOT tested against another provider (apt-get install glewlwyd)';

it('finds glewlwyd in CI', { skip: !process.env['CI'] && 'not in CI' }, () => assert.equal(skip, false));

describe('sign-in at glewlwyd', { skip }, () => {
  let provider: Glewlwyd;
  let as: RunningAuthorizationServer;
  let clientId: string;
  const clock = movableClock();
  const password = 'a password of the provider';

  before(async () => {
    as = await startAuthorizationServer({
      clock,
      async signIn(url) {
        provider = await startGlewlwyd(url + callbackPath);
        const allow = { domains: null, groups: ['staff'] };
        return { signIn: ['oidc'], oidc: providerConfig(provider.issuer, { allow }) };
      },
    });
    clientId = (await register(as)).client_id;
    await provider.addUser({ username: 'dora', password, groups: ['staff', 'admins'] });
    await provider.addUser({ username: 'emil', password, groups: ['staff'] });
    await provider.addUser({ username: 'guest', password, groups: ['guests'] });
  });
  after(async () => {
    await as?.close();
    await provider?.close();
  });

  /** What somebody does who is signed in at the provider. */
  async function signIn(username: string) {
    const browser = new Browser();
    const request = codeRequest(as, clientId, { scope: 'mcp:tools:read mcp:tools:admin' });
    const url = await goToProvider(browser, request);
    url.searchParams.set('g_continue', '');
    const cookie = await provider.signIn(username, password);
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
    const { redirect, status, html } = await comeBack(browser, response.headers.get('location') ?? '');
    return { request, redirect, status, html };
  }

  async function tokenOf(username: string): Promise<TokenAnswer> {
    const { request, redirect, html } = await signIn(username);
    const code = redirect?.searchParams.get('code');
    assert.ok(code, html);
    return requestToken(as, {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: request.verifier,
    });
  }

  it('gives a token with the scopes of the role that the groups make', async () => {
    const admin = await tokenOf('dora');
    assert.match(admin.scope, /mcp:tools:admin/);
    const user = await tokenOf('emil');
    assert.equal(user.scope, 'mcp:tools:read');
    assert.notEqual(decodeJwt(admin.access_token).sub, decodeJwt(user.access_token).sub);
    assert.equal(decodeJwt((await tokenOf('dora')).access_token).sub, decodeJwt(admin.access_token).sub);
  });

  it('lets in nobody of a group that is not allowed', async () => {
    const { redirect, status } = await signIn('guest');
    assert.equal(redirect, null);
    assert.equal(status, 403);
  });

  it('asks again at a refresh: still there, no administrator any more, not allowed any more', async () => {
    let token = await tokenOf('dora');
    clock.advance(61 * 60_000);
    token = await refresh(as, clientId, token.refresh_token);
    assert.match(token.scope, /mcp:tools:admin/);
    const rest = { name: 'dora', email: 'dora@example.com', enabled: true, scope: ['openid'] };
    await provider.changeUser('dora', { ...rest, groups: ['staff'] });
    clock.advance(61 * 60_000);
    token = await refresh(as, clientId, token.refresh_token);
    assert.equal(token.status, 200);
    assert.doesNotMatch(token.scope, /mcp:tools:admin/);
    await provider.changeUser('dora', { ...rest, groups: ['guests'] });
    clock.advance(61 * 60_000);
    assert.equal((await refresh(as, clientId, token.refresh_token)).error, 'invalid_grant');
  });

  it('refreshes nothing while the provider is down', async () => {
    const token = await tokenOf('emil');
    await provider.stop();
    clock.advance(61 * 60_000);
    const refused = await refresh(as, clientId, token.refresh_token);
    assert.equal(refused.status, 503);
    assert.equal(refused.error, 'temporarily_unavailable');
  });
});
