import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import {
  type Clock,
  isRefusal,
  type RefusalCode,
  Secret,
  silentLog,
  systemClock,
} from '../../src/base/index.ts';
import {
  type Authenticator,
  type ClaimRules,
  createAuthenticator,
  createIntrospectionVerifier,
  createJwksVerifier,
  createPossession,
  Introspector,
  proofLifetimeMs,
  ReplayGuard,
} from '../../src/identity/index.ts';
import { createOutbound } from '../../src/outbound/index.ts';
import { type IntrospectionEndpoint, startIntrospectionEndpoint } from './introspection-endpoint.ts';
import { startIssuer } from './issuer.ts';
import { proofKey } from './proof.ts';
import { resource } from './verification.ts';

const seconds = () => Math.floor(Date.now() / 1000);
const good = (more: Record<string, unknown> = {}) => ({
  sub: 'alice',
  aud: resource,
  client_id: 'client',
  scope: 'mcp:tools:read',
  exp: seconds() + 300,
  ...more,
});

class MovableClock implements Clock {
  offset = 0;
  now = () => Date.now() + this.offset;
  monotonic = () => performance.now() + this.offset;
}

interface Options {
  readonly clock?: Clock;
  readonly metadata?: Record<string, unknown>;
  readonly rules?: Partial<ClaimRules>;
  readonly privateKey?: Secret;
  readonly endpoint?: string;
}

interface Setup {
  readonly endpoint: IntrospectionEndpoint;
  readonly authenticator: Authenticator;
  code(token: string): Promise<RefusalCode | 'ok'>;
}

async function setup(t: TestContext, options: Options = {}): Promise<Setup> {
  const { clock = systemClock, metadata, rules = {}, privateKey = null } = options;
  const outbound = createOutbound();
  const endpoint = await startIntrospectionEndpoint(metadata);
  const { issuer } = endpoint;
  t.after(async () => {
    await outbound.close();
    await endpoint.close();
  });
  const introspector = new Introspector({
    issuer,
    endpoint: options.endpoint ?? null,
    clientId: 'gateway',
    credentials: { clientSecret: privateKey ? null : new Secret('s p:cret'), privateKey },
    outbound,
    clock,
    log: silentLog,
  });
  const verifier = createIntrospectionVerifier({
    rules: { issuer, audience: [resource], scopes: 'scope', organization: null, grant: null, ...rules },
    introspector,
    signature: null,
    maxAgeMs: 5000,
    takesOpaque: true,
    skewSeconds: 30,
    clock,
  });
  const replay = new ReplayGuard({ clock, lifetimeMs: proofLifetimeMs, maxEntries: 100 });
  const possession = createPossession({ mode: 'allowed', resource, nonces: null, replay, clock });
  const authenticator = createAuthenticator([verifier], clock, possession);
  const code = async (token: string) => {
    const result = await authenticator.authenticate(token);
    return isRefusal(result) ? result.code : 'ok';
  };
  return { endpoint, authenticator, code };
}

describe('introspection', () => {
  it('says who an opaque token stands for, and is asked with our credentials', async (t) => {
    const { endpoint, authenticator } = await setup(t);
    endpoint.answer = () => good({ jti: 'j' });
    const principal = await authenticator.authenticate('opaque-token');
    assert.ok(!isRefusal(principal));
    assert.deepEqual(
      [principal.subject, principal.clientId, principal.scopes, principal.tokenId, principal.issuer],
      ['alice', 'client', ['mcp:tools:read'], 'j', endpoint.issuer],
    );
    const [asked] = endpoint.asked;
    assert.equal(asked?.token, 'opaque-token');
    assert.equal(asked?.form.get('token_type_hint'), 'access_token');
    const basic = Buffer.from(asked?.headers.authorization?.slice(6) ?? '', 'base64').toString();
    assert.equal(basic, 'gateway:s+p%3Acret');
  });

  it('proves itself in the body where the issuer reads nothing else', async (t) => {
    const metadata = { introspection_endpoint_auth_methods_supported: ['client_secret_post'] };
    const { endpoint, code } = await setup(t, { metadata });
    endpoint.answer = () => good();
    assert.equal(await code('x'), 'ok');
    assert.equal(endpoint.asked[0]?.form.get('client_secret'), 's p:cret');
    assert.equal(endpoint.asked[0]?.headers.authorization, undefined);
  });

  for (const [kind, pair] of [
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['Ed25519', generateKeyPairSync('ed25519')],
  ] as const) {
    it(`proves itself by a signed assertion, ${kind}`, async (t) => {
      const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const { endpoint, code } = await setup(t, { privateKey: new Secret(pem) });
      endpoint.answer = () => good();
      assert.equal(await code('x'), 'ok');
      const assertion = endpoint.asked[0]?.form.get('client_assertion') ?? '';
      const { payload } = await jwtVerify(assertion, pair.publicKey, { algorithms: [kind] });
      assert.equal(payload.iss, 'gateway');
      assert.equal(decodeProtectedHeader(assertion).alg, kind);
    });
  }

  it('asks once for many at once, and keeps the answer for a while', async (t) => {
    const clock = new MovableClock();
    const { endpoint, code } = await setup(t, { clock });
    endpoint.answer = () => good();
    const all = await Promise.all(Array.from({ length: 20 }, () => code('one')));
    assert.ok(all.every((one) => one === 'ok'));
    clock.offset += 4000;
    assert.equal(await code('one'), 'ok');
    assert.equal(endpoint.asked.length, 1);
    clock.offset += 1100;
    assert.equal(await code('one'), 'ok');
    assert.equal(endpoint.asked.length, 2);
  });

  it('a revoked token is refused within the bound, and asked about no more for a while', async (t) => {
    const clock = new MovableClock();
    const { endpoint, code } = await setup(t, { clock });
    endpoint.answer = () => good();
    assert.equal(await code('one'), 'ok');
    endpoint.answer = () => null;
    clock.offset += 5001;
    for (let i = 0; i < 5; i++) assert.equal(await code('one'), 'token_revoked');
    assert.equal(endpoint.asked.length, 2);
    clock.offset += 10_001;
    assert.equal(await code('one'), 'token_revoked');
    assert.equal(endpoint.asked.length, 3);
  });

  it('the bound counts from when the issuer was asked, not from when it answered', async (t) => {
    const clock = new MovableClock();
    const { endpoint, code } = await setup(t, { clock });
    endpoint.answer = async () => {
      clock.offset += 4000; // a slow answer
      return good();
    };
    assert.equal(await code('one'), 'ok');
    clock.offset += 1100;
    endpoint.answer = () => null;
    assert.equal(await code('one'), 'token_revoked');
  });

  it('no answer is kept beyond the end of the token', async (t) => {
    const clock = new MovableClock();
    const { endpoint, code } = await setup(t, { clock });
    endpoint.answer = () => good({ exp: seconds() + 2 });
    assert.equal(await code('one'), 'ok');
    clock.offset += 3000;
    endpoint.answer = () => null;
    assert.equal(await code('one'), 'token_revoked');
  });

  it('a JWT of an issuer that nobody configured is shown to nobody', async (t) => {
    const { endpoint, code } = await setup(t);
    const other = await startIssuer();
    t.after(() => other.stop());
    assert.equal(await code(await other.sign({ aud: resource })), 'token_issuer');
    assert.equal(await code(await other.sign({ aud: resource, iss: undefined })), 'token_issuer');
    assert.equal(endpoint.asked.length, 0);
  });
});

describe('an active token that is not for us', () => {
  const cases: Record<string, [Record<string, unknown>, RefusalCode]> = {
    'for another server': [{ aud: 'https://other.example' }, 'token_audience'],
    'for nobody': [{ aud: undefined }, 'token_audience'],
    'for us, nearly': [{ aud: `${resource}/x` }, 'token_audience'],
    'of another issuer': [{ iss: 'https://other.example' }, 'token_issuer'],
    'of the issuer, in a list': [{ iss: ['x'] }, 'token_issuer'],
    expired: [{ exp: seconds() - 60 }, 'token_expired'],
    'with exp in text': [{ exp: String(seconds() + 60) }, 'token_claims'],
    'with exp null': [{ exp: null }, 'token_claims'],
    'with an endless exp': [{ exp: 1e300 }, 'token_claims'],
    'not yet valid': [{ nbf: seconds() + 600 }, 'token_not_yet_valid'],
    'with nbf in text': [{ nbf: '0' }, 'token_claims'],
    'without sub': [{ sub: undefined }, 'token_claims'],
    'a refresh token (RFC 6749 words)': [{ token_type: 'refresh_token' }, 'token_type'],
    'a refresh token (Hydra)': [{ token_use: 'refresh_token' }, 'token_type'],
    'a refresh token (Keycloak)': [{ typ: 'Refresh' }, 'token_type'],
    'an ID token (Keycloak)': [{ typ: 'ID' }, 'token_type'],
    'bound to a key, and came without a proof': [{ cnf: { jkt: 'A'.repeat(43) } }, 'token_binding'],
    'bound to something else': [{ cnf: { kid: 'x' } }, 'token_claims'],
    'with scopes in an object': [{ scope: {} }, 'token_claims'],
  };
  for (const [what, [claims, code]] of Object.entries(cases)) {
    it(what, async (t) => {
      const setUp = await setup(t);
      setUp.endpoint.answer = () => good(claims);
      assert.equal(await setUp.code('token'), code);
    });
  }

  it('by a client that is not listed, where clients stand in for the audience', async (t) => {
    const { endpoint, code } = await setup(t, { rules: { audience: null, clientIds: ['listed'] } });
    endpoint.answer = (token) => good({ aud: undefined, client_id: token });
    assert.equal(await code('listed'), 'ok');
    assert.equal(await code('other'), 'token_audience');
    endpoint.answer = () => good({ aud: undefined, client_id: undefined });
    assert.equal(await code('none'), 'token_audience');
  });

  it('a bound token passes with its proof', async (t) => {
    const { endpoint, authenticator } = await setup(t);
    const key = await proofKey();
    endpoint.answer = () => good({ cnf: { jkt: key.thumbprint }, token_type: 'DPoP' });
    const proof = await key.proof({ htu: resource, token: 'opaque' });
    const presentation = { scheme: 'dpop', proof, httpMethod: 'POST', certificate: () => null } as const;
    assert.ok(!isRefusal(await authenticator.authenticate('opaque', presentation)));
  });

  it('without exp is asked about again', async (t) => {
    const clock = new MovableClock();
    const { endpoint, code } = await setup(t, { clock });
    endpoint.answer = () => good({ exp: undefined });
    assert.equal(await code('x'), 'ok');
    clock.offset += 6001;
    endpoint.answer = () => null;
    assert.equal(await code('x'), 'token_revoked');
  });
});

describe('an issuer that gives no answer', () => {
  const answers: Record<string, { status: number; body: string; type?: string }> = {
    '500': { status: 500, body: '{"active":true}' },
    '401': { status: 401, body: '{"error":"invalid_client"}' },
    '400': { status: 400, body: '{"error":"invalid_request"}' },
    'a redirect': { status: 302, body: '{"active":true}' },
    'no JSON': { status: 200, body: '<html>active</html>', type: 'text/html' },
    'half of it': { status: 200, body: '{"active":true' },
    'a text for a boolean': { status: 200, body: '{"active":"true"}' },
    'one for a boolean': { status: 200, body: '{"active":1}' },
    'nothing of the kind': { status: 200, body: '{"sub":"alice"}' },
    'a list': { status: 200, body: '[{"active":true}]' },
    null: { status: 200, body: 'null' },
    'a signed answer, which nobody asked for': {
      status: 200,
      body: 'e30.e30.e30',
      type: 'application/token-introspection+jwt',
    },
    'a megabyte': { status: 200, body: `{"active":true,"x":"${'x'.repeat(1_000_000)}"}` },
  };
  for (const [what, answer] of Object.entries(answers)) {
    it(`${what}: neither good nor bad, and never accepted`, async (t) => {
      const { endpoint, code } = await setup(t);
      endpoint.answer = () => answer;
      assert.equal(await code('token'), 'issuer_unavailable');
      endpoint.answer = () => good();
      assert.equal(await code('token'), 'ok', 'and nothing is held against the token');
    });
  }

  it('is not asked again and again, and comes back', async (t) => {
    const clock = new MovableClock();
    const { endpoint, code } = await setup(t, { clock });
    endpoint.answer = () => good();
    assert.equal(await code('kept'), 'ok');
    endpoint.answer = () => ({ status: 503, body: '{}' });
    for (let i = 0; i < 50; i++) assert.equal(await code(`token-${i}`), 'issuer_unavailable');
    assert.equal(endpoint.asked.length, 4);
    assert.equal(await code('kept'), 'ok', 'what was known a moment ago goes on');
    clock.offset += 5001;
    await Promise.all(Array.from({ length: 50 }, (_, i) => code(`again-${i}`)));
    assert.equal(endpoint.asked.length, 5, 'one probe');
    assert.equal(await code('kept'), 'issuer_unavailable', 'but for no longer than its bound');
    endpoint.answer = () => good();
    clock.offset += 5001;
    assert.equal(await code('kept'), 'ok');
    assert.equal(await code('another'), 'ok');
  });

  it('and is gone altogether', async (t) => {
    const { code } = await setup(t, { endpoint: 'http://127.0.0.1:9/introspect' });
    assert.equal(await code('token'), 'issuer_unavailable');
  });

  it('with bad tokens between good ones is not taken for dead', async (t) => {
    const { endpoint, code } = await setup(t);
    endpoint.answer = (token) => (token.startsWith('bad') ? { status: 500, body: '' } : good());
    for (let i = 0; i < 10; i++) {
      assert.equal(await code(`bad-a-${i}`), 'issuer_unavailable');
      assert.equal(await code(`bad-b-${i}`), 'issuer_unavailable');
      assert.equal(await code(`good-${i}`), 'ok');
    }
  });

  it('hears at most so many questions at once', async (t) => {
    const { endpoint, code } = await setup(t);
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    endpoint.answer = async () => gate.then(() => good());
    const all = Array.from({ length: 100 }, () => code(randomUUID()));
    setTimeout(release, 200);
    const codes = await Promise.all(all);
    assert.equal(codes.filter((one) => one === 'issuer_unavailable').length, 36);
  });
});

describe('signature and introspection', () => {
  async function both(t: TestContext) {
    const issuer = await startIssuer();
    const outbound = createOutbound();
    const endpoint = await startIntrospectionEndpoint();
    t.after(async () => {
      await issuer.stop();
      await endpoint.close();
      await outbound.close();
    });
    const rules = {
      issuer: issuer.issuer,
      audience: [resource],
      scopes: 'scope',
      organization: null,
      grant: null,
    };
    const common = { rules, skewSeconds: 30, clock: systemClock };
    const key = createRemoteJWKSet(new URL(`${issuer.issuer}/jwks`));
    const signature = createJwksVerifier({ ...common, algorithms: ['ES256'], typ: ['at+jwt'], key });
    const introspector = new Introspector({
      issuer: issuer.issuer,
      endpoint: endpoint.url,
      clientId: 'gateway',
      credentials: { clientSecret: new Secret('x'), privateKey: null },
      outbound,
      clock: systemClock,
      log: silentLog,
    });
    const verifier = createIntrospectionVerifier({
      ...common,
      introspector,
      signature,
      maxAgeMs: 5000,
      takesOpaque: true,
    });
    return { issuer, endpoint, authenticator: createAuthenticator([verifier], systemClock) };
  }

  it('both must hold', async (t) => {
    const { issuer, endpoint, authenticator } = await both(t);
    const fresh = (claims = {}) => issuer.sign({ aud: resource, scope: 'a b', jti: randomUUID(), ...claims });
    endpoint.answer = () => ({});
    const principal = await authenticator.authenticate(await fresh());
    assert.ok(!isRefusal(principal));
    assert.deepEqual(principal.scopes, ['a', 'b']);
    endpoint.answer = () => ({ scope: 'a', sub: 'alice', iss: issuer.issuer });
    const narrower = await authenticator.authenticate(await fresh());
    assert.ok(!isRefusal(narrower) && narrower.scopes.join() === 'a', 'the issuer has narrowed it since');
    const asked = endpoint.asked.length;
    const forged = `${(await fresh()).split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`;
    for (const bad of [forged, 'opaque', await fresh({ aud: 'https://other.example' })])
      assert.ok(isRefusal(await authenticator.authenticate(bad)));
    assert.equal(endpoint.asked.length, asked, 'a bad signature is not worth a question');
    for (const answer of [
      null,
      { sub: 'mallory' },
      { client_id: 'other' },
      { iss: 'https://other.example' },
      { aud: 'https://other.example' },
      { exp: seconds() - 60 },
      { cnf: { jkt: 'A'.repeat(43) } },
    ]) {
      endpoint.answer = () => answer;
      assert.ok(isRefusal(await authenticator.authenticate(await fresh())), JSON.stringify(answer));
    }
  });
});
