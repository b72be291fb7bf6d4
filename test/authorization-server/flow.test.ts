import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import {
  alice,
  bob,
  codeRequest,
  errorTarget,
  obtainToken,
  type RunningAuthorizationServer,
  redirectUri,
  refresh,
  register,
  requestToken,
  signInAndConsent,
  startAuthorizationServer,
} from './support.ts';

const insecure = { [oauth.allowInsecureRequests]: true };

describe('authorization code flow', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer();
  });
  after(() => as.close());

  it('goes from dynamic registration to a token and a refreshed one, as oauth4webapi checks it', async () => {
    const issuer = new URL(as.issuer);
    const metadata = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' }),
    );
    const client = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        metadata,
        { client_name: 'Test', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' },
        insecure,
      ),
    );
    const verifier = oauth.generateRandomCodeVerifier();
    const url = new URL(metadata.authorization_endpoint ?? '');
    url.search = String(
      new URLSearchParams({
        response_type: 'code',
        client_id: client.client_id,
        redirect_uri: redirectUri,
        scope: 'mcp:tools:read mcp:tools:write',
        resource: as.resource,
        state: 's',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
    );
    const parameters = oauth.validateAuthResponse(metadata, client, await signInAndConsent(url, alice), 's');
    const tokens = await oauth.processAuthorizationCodeResponse(
      metadata,
      client,
      await oauth.authorizationCodeGrantRequest(
        metadata,
        client,
        oauth.None(),
        parameters,
        redirectUri,
        verifier,
        insecure,
      ),
    );
    assert.equal(tokens.scope, 'mcp:tools:read mcp:tools:write');
    const claims = await oauth.validateJwtAccessToken(
      metadata,
      new Request(as.resource, { headers: { authorization: `Bearer ${tokens.access_token}` } }),
      as.resource,
      insecure,
    );
    assert.equal(claims.client_id, client.client_id);
    const refreshed = await oauth.processRefreshTokenResponse(
      metadata,
      client,
      await oauth.refreshTokenGrantRequest(
        metadata,
        client,
        oauth.None(),
        tokens.refresh_token ?? '',
        insecure,
      ),
    );
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
  });

  it('issues an RFC 9068 access token: at+jwt, ES256, audience exactly the resource', async () => {
    const { client_id } = await register(as);
    const { access_token, expires_in, token_type } = await obtainToken(as, client_id);
    const { kid, ...header } = decodeProtectedHeader(access_token);
    assert.deepEqual(header, { alg: 'ES256', typ: 'at+jwt' });
    assert.equal(kid, as.server.keys().keys[0]?.kid);
    const { payload } = await jwtVerify(access_token, createLocalJWKSet(as.server.keys()));
    assert.equal(payload.aud, as.resource);
    assert.equal(payload.iss, `${as.url}/oauth`);
    assert.equal(payload['client_id'], client_id);
    assert.equal(payload['org'], 'default');
    assert.equal(typeof payload['grant_id'], 'string');
    assert.ok(payload.jti && payload.sub);
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 15 * 60);
    assert.equal(expires_in, 15 * 60);
    assert.equal(token_type, 'Bearer');
  });

  it('gives a client that names no scope the baseline', async () => {
    const { client_id } = await register(as);
    const { scope } = await obtainToken(as, client_id);
    assert.equal(scope, 'mcp:tools:read mcp:resources:read');
  });

  it('drops openid and scopes that do not exist, and the parameters that need openid', async () => {
    const { client_id } = await register(as);
    const answer = await obtainToken(as, client_id, {
      parameters: { scope: 'openid claudeai profile mcp:tools:write', nonce: 'n', max_age: '10' },
    });
    assert.equal(answer.scope, 'mcp:tools:write');
    assert.ok(!('id_token' in answer));
  });

  it('lets a client that registered with a narrow scope ask for more later', async () => {
    const { client_id } = await register(as, { scope: 'mcp:tools:read' });
    assert.equal((await obtainToken(as, client_id)).scope, 'mcp:tools:read mcp:resources:read');
    const more = await obtainToken(as, client_id, {
      parameters: { scope: 'mcp:tools:read mcp:tools:write' },
    });
    assert.equal(more.scope, 'mcp:tools:read mcp:tools:write');
  });

  it('never grants more than the role of the user may', async () => {
    const { client_id } = await register(as);
    const scope = 'mcp:tools:read mcp:tools:admin';
    const answer = await obtainToken(as, client_id, { parameters: { scope }, credentials: bob });
    assert.equal(answer.scope, 'mcp:tools:read');
    assert.equal(decodeJwt(answer.access_token)['scope'], 'mcp:tools:read');
    const admin = await obtainToken(as, client_id, { parameters: { scope } });
    assert.equal(admin.scope, scope);
  });

  it('tells the client when the person refuses, with iss', async () => {
    const { client_id } = await register(as);
    const answer = await signInAndConsent(codeRequest(as, client_id).url, alice, { decision: 'deny' });
    assert.equal(answer.origin + answer.pathname, redirectUri);
    assert.equal(answer.searchParams.get('error'), 'access_denied');
    assert.equal(answer.searchParams.get('iss'), as.issuer);
    assert.equal(answer.searchParams.get('state'), 'opaque-state');
  });

  it('refuses a code that comes twice, and ends what the first one got (RFC 9700 section 4.5)', async () => {
    const { client_id } = await register(as);
    const { url, verifier } = codeRequest(as, client_id);
    const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
    const exchange = {
      grant_type: 'authorization_code',
      client_id,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    };
    const first = await requestToken(as, exchange);
    assert.equal(first.status, 200);
    const second = await requestToken(as, exchange);
    assert.deepEqual([second.status, second.error], [400, 'invalid_grant']);
    assert.equal((await refresh(as, client_id, first.refresh_token)).error, 'invalid_grant');
    const { jti, sub, grant_id } = decodeJwt<{ grant_id: string }>(first.access_token);
    assert.ok(jti && sub);
    assert.ok(as.server.isRevoked({ jti, subject: sub, clientId: client_id, grantId: grant_id }));
  });

  it('gives of two concurrent exchanges of a code at most one a token', async () => {
    const { client_id } = await register(as);
    const { url, verifier } = codeRequest(as, client_id);
    const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
    const exchange = { grant_type: 'authorization_code', client_id, code, redirect_uri: redirectUri };
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => requestToken(as, { ...exchange, code_verifier: verifier })),
    );
    assert.ok(answers.filter(({ status }) => status === 200).length <= 1);
    assert.ok(answers.some(({ error }) => error === 'invalid_grant'));
  });

  for (const [what, parameters] of Object.entries({
    'no challenge': { code_challenge: null, code_challenge_method: null },
    'the plain method': { code_challenge_method: 'plain' },
    'a challenge without method': { code_challenge_method: null },
  })) {
    it(`refuses an authorization request with ${what}`, async () => {
      const { client_id } = await register(as);
      const response = await fetch(codeRequest(as, client_id, parameters).url, { redirect: 'manual' });
      const location = await errorTarget(response);
      assert.equal(location.searchParams.get('error'), 'invalid_request');
      assert.equal(location.searchParams.get('iss'), as.issuer);
    });
  }

  it('refuses a wrong verifier, another client and another redirect URI at the token endpoint', async () => {
    const { client_id } = await register(as);
    const { client_id: other } = await register(as);
    for (const wrong of [
      { code_verifier: 'x'.repeat(43) },
      { client_id: other },
      { redirect_uri: 'http://127.0.0.1:7778/callback' },
    ]) {
      const { url, verifier } = codeRequest(as, client_id);
      const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
      const right = { client_id, redirect_uri: redirectUri, code_verifier: verifier };
      const answer = await requestToken(as, { grant_type: 'authorization_code', code, ...right, ...wrong });
      assert.equal(answer.error, 'invalid_grant');
    }
  });

  it('does not offer the implicit, password or client credentials grant', async () => {
    const { client_id } = await register(as);
    for (const grant_type of ['password', 'client_credentials', 'implicit']) {
      assert.equal((await requestToken(as, { grant_type, client_id })).error, 'unsupported_grant_type');
    }
    const response = await fetch(codeRequest(as, client_id, { response_type: 'token' }).url, {
      redirect: 'manual',
    });
    assert.match((await errorTarget(response)).href, /error=unsupported_response_type/);
  });
});
