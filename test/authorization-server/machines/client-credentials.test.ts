import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeProtectedHeader } from 'jose';
import { startIssuer } from '../../identity/issuer.ts';
import { type RunningAuthorizationServer, register, requestToken } from '../support.ts';
import {
  byAssertion,
  bySecret,
  claimsOf,
  clientAssertion,
  type MachineKey,
  machine,
  machineKey,
  refused,
  startWith,
} from './support.ts';

describe('client credentials (RFC 6749 section 4.4)', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startWith(
      [
        machine(),
        machine({ id: 'narrow', scopes: ['mcp:tools:read'], servers: ['server /a'] }),
        machine({ id: 'desk', grants: ['authorization_code'], redirectUris: ['http://127.0.0.1/cb'] }),
      ],
      { resources: ['/a', '/b'] },
    );
  });
  after(() => as.close());

  it('gives a machine a token in its own name, within its ceiling, without a refresh token', async () => {
    const answer = await requestToken(as, bySecret({ resource: as.resource, scope: 'mcp:tools:read' }));
    const claims = claimsOf(answer);
    assert.equal(decodeProtectedHeader(answer.access_token).typ, 'at+jwt');
    assert.equal(claims.sub, 'nightly');
    assert.equal(claims['client_id'], 'nightly');
    assert.equal(claims.aud, as.resource);
    assert.equal(claims['org'], 'ops');
    assert.equal(claims['scope'], 'mcp:tools:read');
    assert.equal(answer.refresh_token, undefined);
    const event = as.events.findLast(({ event }) => event === 'token.issued');
    assert.equal(event?.subject, 'nightly');
    assert.equal(event?.data?.['jti'], claims.jti);
  });

  it('gives the ceiling where nothing is asked for, and never more than it', async () => {
    const all = await requestToken(as, bySecret({ resource: as.resource }));
    assert.equal(claimsOf(all)['scope'], 'mcp:tools:read mcp:tools:write');
    const wider = await requestToken(
      as,
      bySecret({ resource: as.resource, scope: 'mcp:tools:admin mcp:tools:read offline_access' }),
    );
    assert.equal(claimsOf(wider)['scope'], 'mcp:tools:read');
    for (const scope of ['mcp:tools:admin', 'unknown', '']) {
      const answer = await requestToken(as, bySecret({ resource: as.resource, scope }));
      if (scope === '') assert.equal(answer.scope, 'mcp:tools:read mcp:tools:write');
      else assert.equal(answer.error, 'invalid_scope');
    }
  });

  it('needs a resource that is served here, and one of the client', async () => {
    await refused(as, bySecret(), 'invalid_target');
    await refused(as, bySecret({ resource: `${as.url}/c` }), 'invalid_target');
    await refused(as, bySecret({ resource: `${as.url}/A` }), 'invalid_target');
    const own = bySecret({ client_id: 'narrow', resource: `${as.url}/a` });
    assert.equal(claimsOf(await requestToken(as, own)).aud, `${as.url}/a`);
    await refused(as, bySecret({ client_id: 'narrow', resource: `${as.url}/b` }), 'invalid_target');
  });

  it('knows no machine without its secret', async () => {
    for (const client_secret of ['', 'wrong', 'a secret that only this machine know']) {
      await refused(as, bySecret({ client_secret, resource: as.resource }), 'invalid_client');
    }
    await refused(
      as,
      { grant_type: 'client_credentials', client_id: 'nightly', resource: as.resource },
      'invalid_client',
    );
    await refused(as, bySecret({ client_id: 'nobody', resource: as.resource }), 'invalid_client');
  });

  it('is for clients of the configuration that have the grant alone', async () => {
    await refused(as, bySecret({ client_id: 'desk', resource: as.resource }), 'invalid_request');
    const registered = await register(as, {
      grant_types: ['client_credentials', 'authorization_code'],
      token_endpoint_auth_method: 'client_secret_post',
    });
    const { client_id, client_secret = '' } = registered;
    assert.deepEqual(registered['grant_types'], ['authorization_code']);
    await refused(as, bySecret({ client_id, client_secret, resource: as.resource }), 'invalid_request');
  });

  it('says so in its metadata, and to whom it is asked about', async () => {
    const response = await fetch(`${as.url}/.well-known/oauth-authorization-server/oauth`);
    const metadata = (await response.json()) as { grant_types_supported: string[] };
    assert.ok(metadata.grant_types_supported.includes('client_credentials'));
    const answer = await requestToken(as, bySecret({ resource: as.resource }));
    const ask = async () => {
      const body = new URLSearchParams({ ...bySecret(), token: answer.access_token });
      return (await (await fetch(`${as.issuer}/introspect`, { method: 'POST', body })).json()) as object;
    };
    assert.equal(((await ask()) as { active: boolean }).active, true);
    const body = new URLSearchParams({ ...bySecret(), token: answer.access_token });
    await fetch(`${as.issuer}/revoke`, { method: 'POST', body });
    assert.deepEqual(await ask(), { active: false });
  });

  it('ends the tokens of a machine that left the configuration', async () => {
    const identity = { jti: 'j', grantId: null, clientId: 'nightly', subject: 'nightly' };
    assert.equal(as.server.isRevoked(identity), false);
    assert.equal(as.server.isRevoked({ ...identity, clientId: 'gone', subject: 'gone' }), true);
  });
});

describe('private_key_jwt (RFC 7523 section 3)', () => {
  let as: RunningAuthorizationServer;
  let key: MachineKey;
  let other: MachineKey;
  before(async () => {
    key = await machineKey();
    other = await machineKey();
    as = await startWith([
      machine({ secret: null, jwks: key.jwks }),
      machine({ id: 'neighbour', secret: null, jwks: other.jwks }),
    ]);
  });
  after(() => as.close());
  const ask = async (claims = {}, by = key) =>
    byAssertion(await clientAssertion(as, by, claims), { resource: as.resource });

  it('takes an assertion for the issuer or the token endpoint', async () => {
    for (const aud of [as.issuer, `${as.issuer}/token`]) {
      assert.equal(claimsOf(await requestToken(as, await ask({ aud }))).sub, 'nightly');
    }
  });

  it('takes an assertion once, also of two that come together', async () => {
    const parameters = await ask();
    const answers = await Promise.all([1, 2, 3, 4].map(() => requestToken(as, parameters)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    assert.equal((await requestToken(as, parameters)).access_token, undefined);
  });

  it('refuses an assertion that is for others, too long-lived, expired, without id, or of another', async () => {
    const now = Math.floor(Date.now() / 1000);
    const faults: Record<string, unknown>[] = [
      { aud: 'https://other.example' },
      { aud: [as.issuer, 'https://other.example'] },
      { aud: undefined },
      { exp: now - 60 },
      { exp: undefined },
      { exp: now + 86_400 },
      { jti: undefined },
      { iss: 'neighbour' },
      { sub: 'neighbour' },
      { iss: 'neighbour', sub: 'neighbour' },
      { sub: 'nobody' },
    ];
    for (const claims of faults) {
      const answer = await requestToken(as, await ask(claims));
      assert.equal(answer.error, 'invalid_client', JSON.stringify({ claims, answer }));
    }
    assert.equal((await requestToken(as, await ask({}, other))).error, 'invalid_client');
  });

  it('takes no secret, and not the name alone', async () => {
    await refused(as, bySecret({ resource: as.resource }), 'invalid_client');
    await refused(
      as,
      { grant_type: 'client_credentials', client_id: 'nightly', resource: as.resource },
      'invalid_client',
    );
  });
});

describe('keys that a machine publishes', () => {
  it('are read from the URL that the operator wrote, private addresses too', async () => {
    const publisher = await startIssuer();
    const as = await startWith([machine({ secret: null, jwksUri: `${publisher.issuer}/jwks` })]);
    try {
      const key = { jwks: [], privateKey: publisher.privateKey };
      const assertion = await clientAssertion(as, key).then(() =>
        publisher.sign(
          { iss: 'nightly', sub: 'nightly', aud: as.issuer, client_id: undefined },
          { typ: 'JWT' },
        ),
      );
      assert.equal(
        claimsOf(await requestToken(as, byAssertion(assertion, { resource: as.resource }))).sub,
        'nightly',
      );
    } finally {
      await as.close();
      await publisher.stop();
    }
  });
});
