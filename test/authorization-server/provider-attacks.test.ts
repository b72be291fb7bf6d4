import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { after, afterEach, before, describe, it } from 'node:test';
import { decodeJwt } from 'jose';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { type HostileProvider, startHostileProvider } from '../support/identity-provider/hostile-provider.ts';
import { callbackPath, comeBack, follow, goToProvider, providerConfig } from './provider-sign-in.ts';
import {
  alice,
  Browser,
  codeRequest,
  formsOf,
  movableClock,
  type RunningAuthorizationServer,
  redirectUri,
  refresh,
  register,
  requestToken,
  startAuthorizationServer,
  type TokenAnswer,
} from './support.ts';

describe('sign-in at an identity provider', () => {
  let provider: HostileProvider;
  let as: RunningAuthorizationServer;
  let clientId: string;
  const clock = movableClock();
  before(async () => {
    provider = await startHostileProvider();
    as = await startAuthorizationServer({
      clock,
      signIn: { signIn: ['password', 'oidc'], oidc: providerConfig(provider.issuer) },
    });
    clientId = (await register(as)).client_id;
  });
  after(async () => {
    await as.close();
    await provider.close();
  });
  afterEach(() => {
    provider.lies = {};
  });

  /** As far as the provider's answer; what is returned has not been opened yet. */
  async function upToCallback(browser: Browser) {
    const request = codeRequest(as, clientId);
    const url = await goToProvider(browser, request);
    return { request, url, callback: provider.callbackFor(url) };
  }

  async function tokenAfter(browser = new Browser()): Promise<TokenAnswer> {
    const { request, callback } = await upToCallback(browser);
    const { redirect, html } = await comeBack(browser, callback);
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

  async function refusedWith(lies: HostileProvider['lies'], status: number): Promise<string> {
    const browser = new Browser();
    const { callback } = await upToCallback(browser);
    provider.lies = lies;
    const { redirect, status: answered, html } = await comeBack(browser, callback);
    assert.equal(redirect, null);
    assert.equal(answered, status, html);
    return html;
  }

  it('gives a token of its own: account keyed on the subject, no e-mail, organization from the account', async () => {
    const token = await tokenAfter();
    const claims = decodeJwt(token.access_token);
    assert.equal(claims['org'], 'default');
    assert.notEqual(claims.sub, 'subject-1');
    provider.lies = { claims: { preferred_username: 'renamed', email: 'other@example.com' } };
    assert.equal(decodeJwt((await tokenAfter()).access_token).sub, claims.sub);
    provider.lies = { subject: 'subject-2', claims: { preferred_username: 'renamed' } };
    assert.notEqual(decodeJwt((await tokenAfter()).access_token).sub, claims.sub);
  });

  it('never takes over a local account of the same name', async () => {
    provider.lies = { subject: 'subject-evil', claims: { preferred_username: alice.name } };
    const { sub } = decodeJwt((await tokenAfter()).access_token);
    assert.equal(as.events.findLast(({ event }) => event === 'signin.succeeded')?.subject, sub);
    const names = accountNames(as);
    assert.ok(names.includes('alice'));
    assert.ok(names.some((name) => /^alice~[0-9a-f]{12}$/.test(name)));
  });

  it('sends PKCE, nonce and state, and the exact redirect URI', async () => {
    const url = await goToProvider(new Browser(), codeRequest(as, clientId));
    const query = url.searchParams;
    assert.equal(query.get('redirect_uri'), as.url + callbackPath);
    assert.equal(query.get('code_challenge_method'), 'S256');
    assert.ok((query.get('nonce') ?? '').length >= 43);
    assert.ok((query.get('state') ?? '').length >= 43);
  });

  describe('asks before it sends the browser on', () => {
    it('names client, redirect and scopes, and goes nowhere by itself for a client not seen before', async () => {
      const browser = new Browser();
      const { callback } = await upToCallback(browser);
      await comeBack(browser, callback);
      // The same browser, signed in at the provider; a client that somebody else registered.
      const evil = await register(as, {
        client_name: 'Evil <b>',
        redirect_uris: ['https://evil.example/cb'],
      });
      const asked = codeRequest(as, evil.client_id, {
        redirect_uri: 'https://evil.example/cb',
        prompt: 'login',
      });
      const page = await follow(browser, asked.url.href);
      assert.equal(page.response.status, 200);
      assert.equal(page.response.headers.get('refresh'), null);
      assert.match(page.html, /evil\.example/);
      assert.match(page.html, /Evil &lt;b&gt;/);
      assert.match(page.html, /mcp:tools:read/);
      assert.match(page.response.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
      assert.ok(formsOf(page.html).some(({ action }) => action.endsWith('/provider')));
    });

    it('goes on for no form of another site or browser', async () => {
      const browser = new Browser();
      const { html } = await follow(browser, codeRequest(as, clientId).url.href);
      const form = formsOf(html).find(({ action }) => action.endsWith('/provider'));
      assert.ok(form);
      const without = await browser.submit(form.action, {});
      assert.equal(without.status, 403);
      const foreign = await browser.request(form.action, {
        method: 'POST',
        body: new URLSearchParams(form.fields),
        headers: { 'sec-fetch-site': 'cross-site' },
      });
      assert.equal(foreign.status, 403);
      assert.equal((await new Browser().submit(form.action, form.fields)).status, 400);
      assert.equal((await browser.request(form.action)).status, 404);
    });
  });

  describe('refuses an answer', () => {
    it('in another browser: login CSRF', async () => {
      const { callback } = await upToCallback(new Browser());
      const victim = new Browser();
      await follow(victim, codeRequest(as, clientId).url.href);
      const asked = provider.requests.length;
      const { status, redirect } = await comeBack(victim, callback);
      assert.equal(status, 400);
      assert.equal(redirect, null);
      assert.equal(provider.requests.length, asked, 'the code was not even redeemed');
    });

    it('in another browser, where it would sign in at the account page', async () => {
      const attacker = new Browser();
      const html = await (await attacker.request(`${as.url}/account`)).text();
      const form = formsOf(html).find(({ action }) => action.endsWith('/provider'));
      const page = await attacker.submit(form?.action ?? '', form?.fields ?? {});
      const callback = provider.callbackFor(
        new URL((page.headers.get('refresh') ?? '').replace(/^0; url=/, '')),
      );
      const victim = new Browser();
      await victim.request(`${as.url}/account`);
      assert.equal((await victim.request(callback)).status, 400);
      assert.doesNotMatch(await (await victim.request(`${as.url}/account`)).text(), /You are signed in/);
      assert.equal((await attacker.request(callback)).headers.get('location'), `${as.url}/account`);
      assert.match(await (await attacker.request(`${as.url}/account`)).text(), /You are signed in/);
    });

    it('without a cookie, without a state and with two', async () => {
      const browser = new Browser();
      const { callback } = await upToCallback(browser);
      assert.equal((await comeBack(new Browser(), callback)).status, 400);
      const state = new URL(callback).searchParams.get('state') ?? '';
      const none = callback.replace(/&?state=[^&]*/, '');
      assert.equal((await comeBack(browser, none)).status, 400);
      assert.equal((await comeBack(browser, `${callback}&state=${encodeURIComponent(state)}`)).status, 400);
      assert.equal((await comeBack(browser, `${none}&state=x~y.z.a`)).status, 400);
    });

    it('that comes twice, and after ten minutes', async () => {
      const browser = new Browser();
      const { url, callback } = await upToCallback(browser);
      assert.ok((await comeBack(browser, callback)).redirect);
      assert.equal((await comeBack(browser, callback)).status, 400);
      assert.equal((await comeBack(browser, provider.callbackFor(url))).status, 400);
      const waiting = new Browser();
      const late = await upToCallback(waiting);
      clock.advance(10 * 60_000 + 1000);
      assert.equal((await comeBack(waiting, late.callback)).status, 400);
    });

    it('with the state of another request of the same browser (its client is another)', async () => {
      const browser = new Browser();
      const { callback } = await upToCallback(browser);
      const other = await register(as, { redirect_uris: ['https://other.example/cb'] });
      const asked = codeRequest(as, other.client_id, { redirect_uri: 'https://other.example/cb' });
      const url = await goToProvider(browser, asked);
      const [uid] = (url.searchParams.get('state') ?? '').split('~');
      const [, ticket] = (new URL(callback).searchParams.get('state') ?? '').split('~');
      const mixed = new URL(callback);
      mixed.searchParams.set('state', `${uid}~${ticket}`);
      assert.equal((await comeBack(browser, mixed.href)).status, 400);
    });

    it('with the code of another sign-in: code injection', async () => {
      const attacker = await upToCallback(new Browser());
      const browser = new Browser();
      const own = await upToCallback(browser);
      const injected = new URL(own.callback);
      injected.searchParams.set('code', new URL(attacker.callback).searchParams.get('code') ?? '');
      // This provider does not check the verifier: the nonce in the ID token is the other sign-in's.
      assert.equal((await comeBack(browser, injected.href)).status, 403);
      const sent = provider.requests.at(-1)?.get('code_verifier') ?? '';
      const challenge = createHash('sha256').update(sent).digest('base64url');
      assert.equal(challenge, own.url.searchParams.get('code_challenge'));
      assert.notEqual(challenge, attacker.url.searchParams.get('code_challenge'));
    });

    it('with a wrong nonce or none, issuer, audience, key or no signature', async () => {
      await refusedWith({ nonce: 'other' }, 403);
      await refusedWith({ nonce: null }, 403);
      await refusedWith({ idTokenIssuer: 'https://evil.example' }, 403);
      await refusedWith({ audience: 'another client' }, 403);
      await refusedWith({ signedBy: 'another key' }, 403);
      await refusedWith({ signedBy: 'none' }, 403);
      await refusedWith({ subject: '' }, 403);
    });

    it('that names another issuer in the response: mix-up', async () => {
      const browser = new Browser();
      const { callback } = await upToCallback(browser);
      const { status } = await comeBack(
        browser,
        `${callback}&iss=${encodeURIComponent('https://evil.example')}`,
      );
      assert.equal(status, 403);
    });

    it('without a word of its own on the page', async () => {
      const browser = new Browser();
      const url = await goToProvider(browser, codeRequest(as, clientId));
      const back = new URL(as.url + callbackPath);
      back.searchParams.set('state', url.searchParams.get('state') ?? '');
      back.searchParams.set('error', 'access_denied"><script>alert(1)</script>');
      back.searchParams.set('error_description', '<img src=x onerror=alert(2)> Call 555-0100 now');
      const { status, html } = await comeBack(browser, back.href);
      assert.equal(status, 403);
      assert.doesNotMatch(html, /script|onerror|555|alert/);
      const said = await refusedWith(
        { tokenError: { status: 400, body: { error: 'x', error_description: 'Call 555-0100' } } },
        403,
      );
      assert.doesNotMatch(said, /555/);
    });

    it('when nobody can be asked, with a page that says so', async () => {
      await refusedWith({ tokenError: { status: 500, body: 'broken' } }, 503);
    });
  });

  it('takes no metadata of another issuer', async () => {
    const another = await startAuthorizationServer({
      signIn: { signIn: ['oidc'], oidc: providerConfig(`${provider.issuer}/tenant`) },
    });
    try {
      const { client_id } = await register(another);
      const browser = new Browser();
      const { html } = await follow(browser, codeRequest(another, client_id).url.href);
      const form = formsOf(html).find(({ action }) => action.endsWith('/provider'));
      assert.ok(form);
      assert.equal((await browser.submit(form.action, form.fields)).status, 403);
      assert.doesNotMatch(html, /name="password"/);
      assert.equal(another.server.setupUrl(), null);
      assert.equal((await fetch(`${another.url}/setup?token=x`)).status, 404);
      const login = formsOf(html).find(({ action }) => action.endsWith('/provider'));
      const password = await browser.submit(login?.action.replace('/provider', '/login') ?? '', {
        ...login?.fields,
        ...alice,
      });
      assert.equal(password.status, 404);
    } finally {
      await another.close();
    }
  });

  describe('at a refresh', () => {
    const hour = 61 * 60_000;

    it('asks again when its word is old, once for concurrent ones, and keeps a rotated refresh token', async () => {
      const token = await tokenAfter();
      const asked = () =>
        provider.requests.filter((form) => form.get('grant_type') === 'refresh_token').length;
      const first = asked();
      const early = await refresh(as, clientId, token.refresh_token);
      assert.equal(early.status, 200);
      assert.equal(asked(), first);
      clock.advance(hour);
      const both = await Promise.all([1, 2].map(() => refresh(as, clientId, early.refresh_token)));
      assert.deepEqual(
        both.map(({ status }) => status),
        [200, 200],
      );
      assert.equal(asked(), first + 1);
    });

    it('gives nothing to somebody who was disabled there, and ends what they have', async () => {
      const token = await tokenAfter();
      clock.advance(hour);
      provider.lies = { refreshError: { status: 400, body: { error: 'invalid_grant' } } };
      const refused = await refresh(as, clientId, token.refresh_token);
      assert.equal(refused.status, 400);
      assert.equal(refused.error, 'invalid_grant');
      const { jti = '', sub = '', grant_id } = decodeJwt(token.access_token);
      assert.ok(
        as.server.isRevoked({ jti, grantId: String(grant_id), clientId, subject: sub }) ||
          (await seen(as, token)),
      );
      assert.ok(as.events.some(({ event, subject }) => event === 'signin.withdrawn' && subject === sub));
      provider.lies = {};
      assert.equal((await refresh(as, clientId, token.refresh_token)).status, 400);
      // Enabled again, the same person is the same account.
      assert.equal(decodeJwt((await tokenAfter()).access_token).sub, sub);
    });

    it('refuses the account of another subject', async () => {
      const token = await tokenAfter();
      clock.advance(hour);
      provider.lies = { refreshSubject: 'somebody else' };
      assert.equal((await refresh(as, clientId, token.refresh_token)).status, 400);
    });

    it('issues nothing and loses nothing while nobody can be asked', async () => {
      const token = await tokenAfter();
      clock.advance(hour);
      provider.lies = { refreshError: { status: 503, body: 'down' } };
      const refused = await refresh(as, clientId, token.refresh_token);
      assert.equal(refused.status, 503);
      assert.equal(refused.error, 'temporarily_unavailable');
      provider.lies = { refreshError: { status: 401, body: { error: 'invalid_client' } } };
      assert.equal((await refresh(as, clientId, token.refresh_token)).status, 503);
      provider.lies = {};
      assert.equal((await refresh(as, clientId, token.refresh_token)).status, 200);
    });

    it('follows role: who is no administrator any more keeps no administrator scope', async () => {
      provider.lies = { subject: 'boss', claims: { groups: ['admins'] } };
      const browser = new Browser();
      const request = codeRequest(as, clientId, { scope: 'mcp:tools:read mcp:tools:admin' });
      const url = await goToProvider(browser, request);
      const { redirect } = await comeBack(browser, provider.callbackFor(url));
      const token = await requestToken(as, {
        grant_type: 'authorization_code',
        client_id: clientId,
        code: redirect?.searchParams.get('code') ?? '',
        redirect_uri: redirectUri,
        code_verifier: request.verifier,
      });
      assert.match(token.scope, /mcp:tools:admin/);
      clock.advance(hour);
      provider.lies = { subject: 'boss', claims: { groups: ['staff'] } };
      const after = await refresh(as, clientId, token.refresh_token);
      assert.equal(after.status, 200);
      assert.doesNotMatch(after.scope, /mcp:tools:admin/);
    });

    it('without a refresh token of the provider, a sign-in is good for twelve hours', async () => {
      provider.lies = { noRefreshToken: true };
      const token = await tokenAfter();
      clock.advance(11 * 3_600_000);
      const later = await refresh(as, clientId, token.refresh_token);
      assert.equal(later.status, 200);
      clock.advance(2 * 3_600_000);
      assert.equal((await refresh(as, clientId, later.refresh_token)).status, 400);
    });
  });

  it('keeps the refresh token of the provider sealed', async () => {
    await tokenAfter();
    const file = Buffer.concat(
      ['', '-wal'].map((suffix) => readFileSync(`${as.dataDir}/authorization.db${suffix}`)),
    );
    assert.doesNotMatch(file.toString('latin1'), /refresh-\d/);
  });

  it('does not let back in who was removed here', async () => {
    provider.lies = { subject: 'put out' };
    await tokenAfter();
    const accounts = openAccounts(as.dataDir, clock);
    const { subject } = as.events.findLast(({ event }) => event === 'signin.succeeded') ?? {};
    accounts.remove(accounts.list().find(({ id }) => id === subject)?.name ?? '');
    accounts.close();
    await refusedWith({ subject: 'put out' }, 403);
  });
});

/** Revocation is read from the store once a second. */
async function seen(as: RunningAuthorizationServer, token: TokenAnswer): Promise<boolean> {
  const { jti = '', sub = '', client_id, grant_id } = decodeJwt(token.access_token);
  for (let tries = 0; tries < 60; tries += 1) {
    const identity = { jti, grantId: String(grant_id), clientId: String(client_id), subject: sub };
    if (as.server.isRevoked(identity)) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

function accountNames(as: RunningAuthorizationServer): string[] {
  const db = new DatabaseSync(`${as.dataDir}/authorization.db`, { readOnly: true });
  const names = db
    .prepare('SELECT name FROM accounts')
    .all()
    .map((row) => String(row['name']));
  db.close();
  return names;
}
