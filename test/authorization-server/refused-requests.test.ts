import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  alice,
  Browser,
  bob,
  codeRequest,
  errorTarget,
  obtainToken,
  type RunningAuthorizationServer,
  redirectUri,
  register,
  signInAndConsent,
  startAuthorizationServer,
} from './support.ts';

// RFC 9700 section 4.11: a link that begins at our host must not end at a stranger's by itself.
describe('an authorization request in error', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer();
  });
  after(() => as.close());

  const evil = 'https://phisher.example/landing';
  const errors: Record<string, Record<string, string | null>> = {
    'an unknown response type': { response_type: 'x' },
    'a response type that is answered in the fragment': { response_type: 'token' },
    'a form as the way back': { response_type: 'x', response_mode: 'form_post' },
    'a fragment as the way back': { response_type: 'x', response_mode: 'fragment' },
    'an unknown response mode': { response_mode: 'x' },
    'a code in the fragment': { response_mode: 'fragment' },
    'a code in a form': { response_mode: 'form_post' },
    'no PKCE': { code_challenge: null },
    'a resource of somebody else': { resource: 'https://other.example/mcp' },
    'prompt=none': { prompt: 'none' },
    'an unknown request_uri': { request_uri: 'urn:ietf:params:oauth:request_uri:x' },
    'a request object': { request: 'x' },
  };
  for (const [what, parameters] of Object.entries(errors)) {
    it(`(${what}) stays on a page of ours for somebody who never allowed the client`, async () => {
      const { client_id } = await register(as, { redirect_uris: [evil] });
      const request = codeRequest(as, client_id, { redirect_uri: evil, ...parameters }).url.href;
      const signedIn = new Browser();
      await obtainToken(as, (await register(as)).client_id, { browser: signedIn });
      for (const browser of [new Browser(), signedIn]) {
        const response = await browser.request(request);
        assert.equal(response.status, 400);
        assert.equal(response.headers.get('location'), null);
        assert.equal(response.headers.get('refresh'), null);
        const policy = response.headers.get('content-security-policy') ?? '';
        assert.match(policy, /default-src 'none'/);
        assert.match(policy, /form-action 'self';/);
        const html = await response.text();
        assert.doesNotMatch(html, /<script|<form|http-equiv|onload/i);
      }
    });
  }

  it('offers the way back as a link that names the host', async () => {
    const { client_id } = await register(as, { redirect_uris: [evil] });
    const { url } = codeRequest(as, client_id, { redirect_uri: evil, code_challenge: null });
    const response = await fetch(url, { redirect: 'manual' });
    const target = await errorTarget(response.clone());
    assert.equal(target.origin + target.pathname, evil);
    assert.equal(target.searchParams.get('error'), 'invalid_request');
    assert.equal(target.searchParams.get('state'), 'opaque-state');
    assert.match(await response.text(), />continue to phisher\.example<\/a>/);
  });

  it('escapes what the request said', async () => {
    const attack = `"><script>alert(1)</script>`;
    const { client_id } = await register(as, { redirect_uris: [`${evil}?a=%22%3E`] });
    const { url } = codeRequest(as, client_id, {
      redirect_uri: `${evil}?a=%22%3E`,
      state: attack,
      prompt: 'none',
      response_type: attack,
    });
    assert.doesNotMatch(await (await fetch(url, { redirect: 'manual' })).text(), /<script|"><script/);
  });

  it('goes back at once to a client that the person allowed, and to it alone', async () => {
    const { client_id } = await register(as);
    const browser = new Browser();
    await obtainToken(as, client_id, { browser });
    const wrong = { code_challenge: null };
    const back = await browser.request(codeRequest(as, client_id, wrong).url.href);
    assert.match(back.headers.get('location') ?? '', /^http:\/\/127\.0\.0\.1:7777\/callback\?error=/);
    const other = await register(as);
    assert.equal((await browser.request(codeRequest(as, other.client_id, wrong).url.href)).status, 400);
    const somebodyElse = new Browser();
    await obtainToken(as, other.client_id, { browser: somebodyElse, credentials: bob });
    assert.equal((await somebodyElse.request(codeRequest(as, client_id, wrong).url.href)).status, 400);
  });

  it('is not what a refusal by the person is: that goes back at once, as SDKs need it', async () => {
    const { client_id } = await register(as);
    const answer = await signInAndConsent(codeRequest(as, client_id).url, alice, { decision: 'deny' });
    assert.equal(answer.origin + answer.pathname, redirectUri);
    assert.equal(answer.searchParams.get('error'), 'access_denied');
  });
});
