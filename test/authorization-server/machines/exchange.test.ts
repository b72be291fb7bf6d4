import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { generateKeyPair, SignJWT } from 'jose';
import { tokenExchangeGrant } from '../../../src/authorization-server/clients/index.ts';
import { startIssuer } from '../../identity/issuer.ts';
import {
  bob,
  movableClock,
  obtainToken,
  type RunningAuthorizationServer,
  register,
  requestToken,
} from '../support.ts';
import { bySecret, claimsOf, machine, refused, secret, startWith } from './support.ts';

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const userScopes = 'mcp:tools:read mcp:tools:write mcp:resources:read';

describe('token exchange for delegation (RFC 8693)', () => {
  const clock = movableClock();
  let as: RunningAuthorizationServer;
  let person: string;
  let clientId: string;

  before(async () => {
    as = await startWith(
      [
        machine({ id: 'agent', grants: ['token_exchange'] }),
        machine({ id: 'helper', grants: ['token_exchange'], servers: ['server /b'] }),
        machine({ id: 'third', grants: ['token_exchange'] }),
        machine({ id: 'fourth', grants: ['token_exchange'] }),
        machine(),
      ],
      { resources: ['/a', '/b'], clock },
    );
    clientId = (await register(as)).client_id;
    person = await newToken();
  });
  after(() => as.close());

  async function newToken(parameters = {}): Promise<string> {
    const scope = `${userScopes} mcp:tools:admin`;
    const answer = await obtainToken(as, clientId, {
      credentials: bob,
      parameters: { scope, ...parameters },
    });
    claimsOf(answer);
    return answer.access_token;
  }

  const parameters = (more: Record<string, string> = {}) => ({
    grant_type: tokenExchangeGrant,
    client_id: 'agent',
    client_secret: secret,
    subject_token: person,
    subject_token_type: accessTokenType,
    ...more,
  });

  it('gives the machine a token for the person that says who acts, and records it', async () => {
    const answer = await requestToken(as, parameters({ resource: `${as.url}/b` }));
    const [claims, before] = [claimsOf(answer), claimsOf({ ...answer, access_token: person })];
    assert.equal(claims.sub, before.sub);
    assert.equal(claims['client_id'], 'agent');
    assert.deepEqual(claims['act'], { sub: 'agent' });
    assert.equal(claims.aud, `${as.url}/b`);
    assert.equal(claims['scope'], 'mcp:tools:read mcp:tools:write');
    assert.equal(claims['grant_id'], before['grant_id']);
    assert.ok(Number(claims.exp) <= Number(before.exp), 'it lives longer than what it came from');
    assert.equal(answer.refresh_token, undefined);
    assert.equal((answer as unknown as Record<string, unknown>)['issued_token_type'], accessTokenType);
    const event = as.events.findLast(({ event }) => event === 'token.exchanged');
    assert.equal(event?.client_id, 'agent');
    assert.equal(event?.subject, before.sub);
    assert.equal(event?.data?.['actors'], 'agent');
    assert.equal(event?.data?.['subject_jti'], before.jti);
  });

  it('keeps the resource where none is named, and narrows the scopes on demand', async () => {
    const answer = await requestToken(as, parameters({ scope: 'mcp:tools:read' }));
    assert.equal(claimsOf(answer).aud, `${as.url}/a`);
    assert.equal(answer.scope, 'mcp:tools:read');
  });

  it('never widens: not beyond the token, the machine or the role', async () => {
    const narrow = await newToken({ scope: 'mcp:resources:read mcp:tools:read' });
    const asked = parameters({ subject_token: narrow, scope: userScopes });
    assert.equal(claimsOf(await requestToken(as, asked))['scope'], 'mcp:tools:read');
    for (const scope of ['mcp:tools:write', 'mcp:resources:read', 'mcp:tools:admin', 'unknown']) {
      await refused(as, parameters({ subject_token: narrow, scope }), 'invalid_scope');
    }
  });

  it('goes to no resource that is not ours, nor to one that the machine has not', async () => {
    await refused(as, parameters({ resource: 'https://other.example/mcp' }), 'invalid_target');
    await refused(as, parameters({ resource: `${as.url}/c` }), 'invalid_target');
    await refused(as, parameters({ client_id: 'helper', resource: `${as.url}/a` }), 'invalid_target');
    await refused(as, parameters({ audience: `${as.url}/b` }), 'invalid_target');
    const body = new URLSearchParams(parameters({ resource: `${as.url}/a` }));
    body.append('resource', `${as.url}/b`);
    const twice = await fetch(`${as.issuer}/token`, { method: 'POST', body });
    assert.equal(twice.status, 400);
  });

  it('is for machines that have the grant, with their own secret', async () => {
    await refused(as, parameters({ client_secret: 'wrong' }), 'invalid_client');
    await refused(as, parameters({ client_id: 'nightly' }), 'invalid_request');
    const stranger = await register(as, { token_endpoint_auth_method: 'client_secret_post' });
    const { client_id, client_secret = '' } = stranger;
    await refused(as, parameters({ client_id, client_secret }), 'invalid_request');
  });

  it('takes nothing but a living access token of ours that a person holds', async (t) => {
    const forger = await startIssuer();
    t.after(() => forger.stop());
    const { privateKey } = await generateKeyPair('ES256');
    const claims = claimsOf({ ...(await requestToken(as, parameters())), access_token: person });
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
      .sign(privateKey);
    const machineToken = await requestToken(as, bySecret({ resource: as.resource }));
    const [head = '', , signature = ''] = person.split('.');
    const widened = { ...claims, scope: 'mcp:tools:admin' };
    const changed = `${head}.${Buffer.from(JSON.stringify(widened)).toString('base64url')}.${signature}`;
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${person.split('.')[1]}.`;
    const foreign = await forger.sign({ ...claims });
    for (const subject_token of [forged, changed, none, foreign, machineToken.access_token, 'x', '']) {
      const answer = await requestToken(as, parameters({ subject_token }));
      assert.match(String(answer.error), /invalid_(grant|request)/, subject_token);
    }
    await refused(
      as,
      parameters({ subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }),
      'invalid_request',
    );
    await refused(
      as,
      parameters({ actor_token: person, actor_token_type: accessTokenType }),
      'invalid_request',
    );
    await refused(
      as,
      parameters({ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }),
      'invalid_request',
    );
  });

  it('bounds the chain of machines', async () => {
    let token = person;
    for (const client_id of ['agent', 'third', 'fourth']) {
      token = (await requestToken(as, parameters({ client_id, subject_token: token }))).access_token;
    }
    assert.deepEqual(claimsOf({ access_token: token, status: 200 } as never)['act'], {
      sub: 'fourth',
      act: { sub: 'third', act: { sub: 'agent' } },
    });
    await refused(as, parameters({ subject_token: token }), 'invalid_grant');
  });

  it('ends with the grant of the person, and a revoked token gives none', async () => {
    const own = await newToken();
    const derived = claimsOf(await requestToken(as, parameters({ subject_token: own })));
    const identity = {
      jti: String(derived.jti),
      grantId: String(derived['grant_id']),
      clientId: 'agent',
      subject: String(derived.sub),
    };
    assert.equal(as.server.isRevoked(identity), false);
    const revoke = new URLSearchParams({ client_id: clientId, token: own });
    assert.equal((await fetch(`${as.issuer}/revoke`, { method: 'POST', body: revoke })).status, 200);
    await refused(as, parameters({ subject_token: own }), 'invalid_grant');
  });

  it('does not outlive the token that it came from, and an expired one gives none', async () => {
    clock.advance(14 * 60_000);
    const late = claimsOf(await requestToken(as, parameters()));
    const before = claimsOf({ access_token: person, status: 200 } as never);
    assert.ok(Number(late.exp) - Number(late.iat) <= 62, 'it was given a whole life');
    assert.ok(Number(before.exp) > 0);
    clock.advance(2 * 60_000);
    await refused(as, parameters(), 'invalid_grant');
  });
});
