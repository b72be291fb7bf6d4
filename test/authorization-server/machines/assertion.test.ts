import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { generateKeyPair, SignJWT } from 'jose';
import { jwtBearerGrant } from '../../../src/authorization-server/clients/index.ts';
import { openAccounts } from '../../../src/authorization-server/index.ts';
import { systemClock } from '../../../src/base/index.ts';
import type { EnterpriseIssuerConfig } from '../../../src/config/index.ts';
import { startIssuer, type TestIssuer } from '../../identity/issuer.ts';
import { type RunningAuthorizationServer, register, requestToken } from '../support.ts';
import { claimsOf, machine, refused, secret, startWith } from './support.ts';

const typ = 'oauth-id-jag+jwt';

function trust(issuer: string, more: Partial<EnterpriseIssuerConfig> = {}): EnterpriseIssuerConfig {
  return {
    issuer,
    jwksUri: null,
    audience: null,
    clientIds: ['editor'],
    algorithms: ['ES256'],
    claims: { organization: null },
    ...more,
  };
}

describe('enterprise-managed authorization (ID-JAG)', () => {
  let idp: TestIssuer;
  let second: TestIssuer;
  let down: TestIssuer;
  let as: RunningAuthorizationServer;

  before(async () => {
    [idp, second, down] = await Promise.all([startIssuer(), startIssuer(), startIssuer()]);
    const scopes = ['mcp:tools:read', 'mcp:tools:write', 'mcp:tools:admin'];
    as = await startWith(
      [
        machine({ id: 'editor', grants: ['jwt_bearer'], scopes }),
        machine({ id: 'other', grants: ['jwt_bearer'], scopes }),
        machine({ id: 'nightly' }),
      ],
      {
        resources: ['/a', '/b'],
        machines: {
          enterprise: [
            trust(idp.issuer, { claims: { organization: 'tenant' } }),
            trust(second.issuer, { clientIds: ['other'] }),
            trust(down.issuer),
          ],
        },
      },
    );
    await down.stop();
  });
  after(async () => {
    await as.close();
    await Promise.all([idp.stop(), second.stop()]);
  });

  /** An ID-JAG as the identity provider makes it; a claim set to undefined is left out. */
  const assertion = (claims: Record<string, unknown> = {}, header = {}, by = idp) =>
    by.sign(
      {
        sub: 'U019488227',
        aud: as.issuer,
        resource: as.resource,
        client_id: 'editor',
        jti: randomUUID(),
        scope: 'mcp:tools:read mcp:tools:write',
        ...claims,
      },
      { typ, ...header },
    );
  const parameters = (given: string, more: Record<string, string> = {}) => ({
    grant_type: jwtBearerGrant,
    client_id: 'editor',
    client_secret: secret,
    assertion: given,
    ...more,
  });

  it('turns an assertion into a token of an account that is made for it', async () => {
    const answer = await requestToken(as, parameters(await assertion({ tenant: 'acme' })));
    const claims = claimsOf(answer);
    assert.equal(claims.aud, as.resource);
    assert.equal(claims['client_id'], 'editor');
    assert.equal(claims['scope'], 'mcp:tools:read mcp:tools:write');
    assert.equal(claims['org'], 'acme');
    assert.equal(answer.refresh_token, undefined);
    const again = claimsOf(await requestToken(as, parameters(await assertion())));
    assert.equal(again.sub, claims.sub, 'the same person is the same account');
    assert.notEqual(claims.sub, 'U019488227');
    const accounts = openAccounts(as.dataDir, systemClock);
    const account = accounts.list().find(({ id }) => id === claims.sub);
    accounts.close();
    assert.equal(account?.role, 'user');
  });

  it('makes one account for requests that come together, and another for another issuer', async () => {
    const given = await Promise.all([1, 2, 3].map(() => assertion({ sub: 'new-one' })));
    const answers = await Promise.all(given.map((one) => requestToken(as, parameters(one))));
    assert.equal(new Set(answers.map((answer) => claimsOf(answer).sub)).size, 1);
    const elsewhere = await assertion({ sub: 'new-one', client_id: 'other' }, {}, second);
    const stranger = await requestToken(as, parameters(elsewhere, { client_id: 'other' }));
    assert.notEqual(claimsOf(stranger).sub, claimsOf(answers[0] as never).sub);
  });

  it('takes no name of an account that exists', async () => {
    const named = await assertion({ sub: 'alice', email: 'alice' });
    const { sub } = claimsOf(await requestToken(as, parameters(named)));
    const accounts = openAccounts(as.dataDir, systemClock);
    const alice = accounts.list().find(({ name }) => name === 'alice');
    accounts.close();
    assert.notEqual(sub, alice?.id);
  });

  it('never gives more than the enterprise, the client and the role allow', async () => {
    const wide = await assertion({ scope: 'mcp:tools:read mcp:tools:admin mcp:resources:read' });
    assert.equal(claimsOf(await requestToken(as, parameters(wide)))['scope'], 'mcp:tools:read');
    const narrower = parameters(await assertion(), { scope: 'mcp:tools:read mcp:tools:admin' });
    assert.equal(claimsOf(await requestToken(as, narrower))['scope'], 'mcp:tools:read');
    const beyond = parameters(await assertion({ scope: 'mcp:tools:read' }), { scope: 'mcp:tools:write' });
    await refused(as, beyond, 'invalid_scope');
    const silent = await requestToken(as, parameters(await assertion({ scope: undefined })));
    assert.equal(claimsOf(silent)['scope'], 'mcp:tools:read', 'the baseline within the ceiling');
  });

  it('is worth one token, also when it comes several times at once', async () => {
    const given = parameters(await assertion());
    const answers = await Promise.all([1, 2, 3, 4].map(() => requestToken(as, given)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    await refused(as, given, 'invalid_grant');
  });

  it('refuses what is meant for others, given to others, of another kind, or out of its time', async () => {
    const now = Math.floor(Date.now() / 1000);
    const faults: [Record<string, unknown>, object?][] = [
      [{ aud: 'https://other.example' }],
      [{ aud: `${as.issuer}/` }],
      [{ aud: [as.issuer, 'https://other.example'] }],
      [{ aud: as.resource }],
      [{ aud: undefined }],
      [{ client_id: 'other' }],
      [{ client_id: undefined }],
      [{ exp: now - 60 }],
      [{ exp: now + 86_400 }],
      [{ exp: undefined }],
      [{ iat: now + 600 }],
      [{ iat: undefined }],
      [{ nbf: now + 600 }],
      [{ jti: undefined }],
      [{ jti: '' }],
      [{ jti: 7 }],
      [{ sub: '' }],
      [{ sub: undefined }],
      [{ iss: second.issuer }],
      [{ iss: 'https://stranger.example' }],
      [{ scope: ['mcp:tools:read'] }],
      [{ cnf: { jkt: 'x' } }],
      [{}, { typ: 'JWT' }],
      [{}, { typ: 'at+jwt' }],
      [{}, { typ: undefined }],
      [{}, { kid: 'unknown' }],
    ];
    for (const [claims, header] of faults) {
      const answer = await requestToken(as, parameters(await assertion(claims, header)));
      assert.equal(answer.error, 'invalid_grant', JSON.stringify({ claims, header, answer }));
      assert.equal(answer.error_description, 'grant request is invalid', 'says nothing of why');
    }
  });

  it('refuses a forged signature, no signature, and a key that the assertion brings along', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const body = (await assertion()).split('.')[1] ?? '';
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const jwk = await import('jose').then(({ exportJWK }) => exportJWK(publicKey));
    const headers = [{ kid: 'key-1' }, { jwk }, { jku: `${second.issuer}/jwks` }];
    for (const header of headers) {
      const forged = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', typ, ...header })
        .sign(privateKey);
      await refused(as, parameters(forged), 'invalid_grant');
    }
    const none = `${Buffer.from(`{"alg":"none","typ":"${typ}"}`).toString('base64url')}.${body}.`;
    for (const given of [none, `${none}x`, 'x.y.z', '', 'a'.repeat(20_000)]) {
      const answer = await requestToken(as, parameters(given));
      assert.match(String(answer.error), /invalid_(grant|request)/);
    }
    assert.equal(second.requests.filter((path) => path === '/jwks').length <= 1, true, 'jku is not fetched');
  });

  it('goes to the resource of the assertion alone', async () => {
    const b = await assertion({ resource: `${as.url}/b` });
    assert.equal(claimsOf(await requestToken(as, parameters(b))).aud, `${as.url}/b`);
    await refused(as, parameters(await assertion(), { resource: `${as.url}/b` }), 'invalid_target');
    for (const resource of ['https://other.example/mcp', `${as.url}/c`, [as.resource, `${as.url}/b`], 7]) {
      await refused(as, parameters(await assertion({ resource })), 'invalid_target');
    }
  });

  it('is for clients that are registered for it and authenticate', async () => {
    await refused(as, parameters(await assertion(), { client_secret: 'wrong' }), 'invalid_client');
    await refused(as, parameters(await assertion(), { client_id: 'other' }), 'invalid_grant');
    const theirs = await assertion({ client_id: 'nightly' });
    await refused(as, parameters(theirs, { client_id: 'nightly' }), 'invalid_request');
    const { client_id, client_secret = '' } = await register(as, {
      token_endpoint_auth_method: 'client_secret_post',
    });
    const own = await assertion({ client_id });
    await refused(as, parameters(own, { client_id, client_secret }), 'invalid_request');
    // Signed by an issuer that vouches for another client alone.
    const wrongIssuer = await assertion({ client_id: 'editor' }, {}, second);
    await refused(as, parameters(wrongIssuer), 'invalid_grant');
  });

  it('says that it cannot tell when the issuer is away', async () => {
    const answer = await requestToken(as, parameters(await assertion({}, {}, down)));
    assert.equal(answer.status, 503);
    assert.equal(answer.error, 'temporarily_unavailable');
  });

  it('ends the tokens of an account that is removed, and the next assertion does not bring it back', async () => {
    const claims = claimsOf(await requestToken(as, parameters(await assertion({ sub: 'leaver' }))));
    const accounts = openAccounts(as.dataDir, systemClock);
    const account = accounts.list().find(({ id }) => id === claims.sub);
    accounts.remove(account?.name ?? '');
    accounts.close();
    await refused(as, parameters(await assertion({ sub: 'leaver' })), 'invalid_grant');
    const identity = {
      jti: String(claims.jti),
      grantId: String(claims['grant_id']),
      clientId: 'editor',
      subject: String(claims.sub),
    };
    for (let wait = 0; wait < 60 && !as.server.isRevoked(identity); wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(as.server.isRevoked(identity), true);
  });
});
