import assert from 'node:assert/strict';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import { type Clock, isRefusal, type RefusalCode, systemClock } from '../../src/base/index.ts';
import {
  type Authenticator,
  createNonces,
  createPossession,
  type DpopMode,
  type Nonces,
  proofLifetimeMs,
  ReplayGuard,
} from '../../src/identity/index.ts';
import { createOutbound, type Outbound } from '../../src/outbound/index.ts';
import { startIssuer, type TestIssuer } from './issuer.ts';
import { type ProofKey, proofKey } from './proof.ts';
import { resource, verification } from './verification.ts';

const seconds = () => Math.floor(Date.now() / 1000);
let issuer: TestIssuer;
let outbound: Outbound;
let key: ProofKey;
let other: ProofKey;
let token: string;
let plain: string;
let allowed: Authenticator;

interface Options {
  readonly clock?: Clock;
  readonly nonces?: Nonces | null;
  readonly replay?: ReplayGuard;
}

function server(mode: DpopMode, { clock = systemClock, nonces = null, replay }: Options = {}): Authenticator {
  const guard = replay ?? new ReplayGuard({ clock, lifetimeMs: proofLifetimeMs, maxEntries: 1000 });
  const possession = createPossession({ mode, resource, nonces, clock, replay: guard });
  return verification([issuer], { outbound, clock, possession });
}

before(async () => {
  outbound = createOutbound();
  issuer = await startIssuer();
  [key, other] = await Promise.all([proofKey(), proofKey()]);
  token = await issuer.sign({ aud: resource, cnf: { jkt: key.thumbprint }, jti: 'bound' });
  plain = await issuer.sign({ aud: resource, jti: 'plain' });
  allowed = server('allowed');
});

after(async () => {
  await issuer.stop();
  await outbound.close();
});

const present = (scheme: 'bearer' | 'dpop', proof: string | null, httpMethod = 'POST') => ({
  scheme,
  proof,
  httpMethod,
  certificate: () => null,
});

async function verdict(proof: string | null, by = allowed, credential = token): Promise<RefusalCode | 'ok'> {
  const result = await by.authenticate(credential, present('dpop', proof));
  return isRefusal(result) ? result.code : 'ok';
}

/** What another implementation of RFC 9449 says of the same request. It remembers no proofs. */
async function oracle(proof: string, credential = token): Promise<boolean> {
  const as = { issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/jwks` };
  const headers = { authorization: `DPoP ${credential}`, dpop: proof };
  const request = new Request(resource, { method: 'POST', headers });
  return oauth
    .validateJwtAccessToken(as, request, resource, {
      requireDPoP: true,
      [oauth.allowInsecureRequests]: true,
    })
    .then(
      () => true,
      () => false,
    );
}

const right = {
  htu: resource,
  get token() {
    return token;
  },
};

describe('a proof', () => {
  it('is taken once', async () => {
    const proof = await key.proof(right);
    assert.equal(await oracle(proof), true);
    assert.equal(await verdict(proof), 'ok');
    assert.equal(await verdict(proof), 'proof_invalid');
    assert.equal(await verdict(await key.proof(right)), 'ok');
  });

  it('is asked for at every use of a token that was verified before', async () => {
    assert.equal(await verdict(await key.proof(right)), 'ok');
    assert.equal(await verdict(null), 'proof_invalid');
    const result = await allowed.authenticate(token);
    assert.ok(isRefusal(result) && result.code === 'token_binding');
  });

  it('of two at once counts for one', async () => {
    const proof = await key.proof(right);
    const all = await Promise.all(Array.from({ length: 10 }, () => verdict(proof)));
    assert.equal(all.filter((one) => one === 'ok').length, 1);
  });

  for (const [what, htu] of Object.entries({
    'a query': `${resource}?a=b`,
    'a fragment': `${resource}#x`,
    'its default port': 'https://mcp.example.com:443/mcp',
    'an upper-case host': 'HTTPS://MCP.Example.COM/mcp',
  })) {
    it(`names the same URL with ${what}`, async () => {
      assert.equal(await verdict(await key.proof({ htu, token })), 'ok');
    });
  }

  for (const algorithm of ['ES384', 'EdDSA', 'PS256', 'RS256']) {
    it(`is by ${algorithm}, too`, async () => {
      const own = await proofKey(algorithm);
      const bound = await issuer.sign({ aud: resource, cnf: { jkt: own.thumbprint }, jti: algorithm });
      const proof = await own.proof({ htu: resource, token: bound });
      assert.equal(await oracle(proof, bound), true);
      assert.equal(await verdict(proof, allowed, bound), 'ok');
    });
  }
});

describe('proofs that prove nothing', () => {
  const changes: Record<string, Parameters<ProofKey['proof']>[1]> = {
    'another method': { claims: { htm: 'GET' } },
    'the method in lower case': { claims: { htm: 'post' } },
    'no method': { claims: { htm: undefined } },
    'another path': { claims: { htu: 'https://mcp.example.com/other' } },
    'another host': { claims: { htu: 'https://evil.example/mcp' } },
    'plain http': { claims: { htu: 'http://mcp.example.com/mcp' } },
    'a slash more': { claims: { htu: `${resource}/` } },
    'a user in the URL': { claims: { htu: 'https://evil@mcp.example.com/mcp' } },
    'no URL': { claims: { htu: undefined } },
    'a list of URLs': { claims: { htu: [resource] } },
    'a relative URL': { claims: { htu: '/mcp' } },
    'no jti': { claims: { jti: undefined } },
    'an empty jti': { claims: { jti: '' } },
    'a number as jti': { claims: { jti: 1 } },
    'an endless jti': { claims: { jti: 'x'.repeat(5000) } },
    'no iat': { claims: { iat: undefined } },
    'an old iat': { claims: { iat: seconds() - 3600 } },
    'an iat of tomorrow': { claims: { iat: seconds() + 86_400 } },
    'iat as text': { claims: { iat: String(seconds()) } },
    'iat null': { claims: { iat: null } },
    'no ath': { claims: { ath: undefined } },
    'ath of another token': { claims: { ath: 'A'.repeat(43) } },
    expired: { claims: { exp: seconds() - 3600 } },
    'not yet valid': { claims: { nbf: seconds() + 3600 } },
    'an access token for a proof': { header: { typ: 'at+jwt' } },
    'typ JWT': { header: { typ: 'JWT' } },
    'no typ': { header: { typ: undefined } },
    'no jwk': { header: { jwk: undefined } },
    'jwk null': { header: { jwk: null } },
    'jwk a list': { header: { jwk: [] } },
    'an empty jwk': { header: { jwk: {} } },
    'a key by reference': { header: { jwk: undefined, jku: 'https://evil.example/jwks', kid: 'x' } },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(what, async () => {
      const proof = await key.proof(right, change);
      assert.equal(await verdict(proof), 'proof_invalid');
      // The other implementation overlooks what the specification leaves to us.
      const ours = ['an empty jti', 'an endless jti', 'a user in the URL', 'the method in lower case'];
      if (!ours.includes(what)) assert.equal(await oracle(proof), false, 'the oracle takes it');
    });
  }

  it('another key, in its own name or in that of the right one', async () => {
    assert.equal(await verdict(await other.proof(right)), 'token_binding');
    assert.equal(await verdict(await other.proof(right, { header: { jwk: key.jwk } })), 'proof_invalid');
    const { d } = await exportJWK(key.privateKey);
    assert.equal(
      await verdict(await key.proof(right, { header: { jwk: { ...key.jwk, d } } })),
      'proof_invalid',
    );
  });

  it('none and HMAC with the public key', async () => {
    const [, claims = ''] = (await key.proof(right)).split('.');
    for (const alg of ['none', 'None', 'HS256', 'ES512', '']) {
      const head = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg, jwk: key.jwk })).toString('base64url');
      const signed = `${head}.${claims}`;
      const mac = createHmac('sha256', JSON.stringify(key.jwk)).update(signed).digest('base64url');
      assert.equal(await verdict(`${signed}.${mac}`), 'proof_invalid');
      assert.equal(await verdict(`${signed}.`), 'proof_invalid');
    }
    const jwk = { kty: 'oct', k: randomBytes(32).toString('base64url') };
    assert.equal(await verdict(await key.proof(right, { header: { jwk } })), 'token_binding');
  });

  it('what is no proof at all, two proofs, a member twice, crit', async () => {
    const proof = await key.proof(right);
    const [head = '', claims = '', signature = ''] = proof.split('.');
    const text = Buffer.from(claims, 'base64url').toString();
    const doubled = Buffer.from(text.replace('{', '{"htm":"GET",')).toString('base64url');
    for (const bad of [
      '',
      'x',
      `${proof}, ${await key.proof(right)}`,
      `${proof},`,
      ` ${proof}`,
      `${head}.${doubled}.${signature}`,
      `${head}.${claims}.${signature.slice(0, -4)}AAAA`,
      'a'.repeat(20_000),
      token,
    ]) {
      assert.equal(await verdict(bad), 'proof_invalid');
    }
    assert.equal(await verdict(await key.proof(right)), 'ok');
  });

  it('an RSA key that is dear to verify with', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    for (const outsize of [
      { ...jwk, e: jwk.n },
      { ...jwk, n: `${jwk.n}${jwk.n}${jwk.n}` },
    ]) {
      assert.equal(await verdict(await key.proof(right, { header: { jwk: outsize } })), 'proof_invalid');
    }
  });
});

describe('tokens and schemes', () => {
  it('an unbound token gains nothing by a proof', async () => {
    const proof = await key.proof({ htu: resource, token: plain });
    assert.equal(await verdict(proof, allowed, plain), 'token_binding');
  });

  it('a bound one is never a bearer token, proof or not, in any mode', async () => {
    for (const mode of ['off', 'allowed', 'required'] as const) {
      for (const proof of [null, await key.proof(right)]) {
        const result = await server(mode).authenticate(token, present('bearer', proof));
        assert.ok(isRefusal(result) && result.code === 'token_binding');
      }
    }
  });

  it('off: no proof is taken; required: no bearer token is', async () => {
    assert.equal(await verdict(await key.proof(right), server('off')), 'token_binding');
    const bearer = (mode: DpopMode) => server(mode).authenticate(plain, present('bearer', null));
    assert.ok(!isRefusal(await bearer('off')));
    assert.ok(!isRefusal(await bearer('allowed')));
    const result = await bearer('required');
    assert.ok(isRefusal(result) && result.code === 'token_binding');
    assert.equal(await verdict(await key.proof(right), server('required')), 'ok');
  });

  it('a token that is bound to a certificate needs that one, with a proof and without', async () => {
    const certificate = 'C'.repeat(43);
    const bound = await issuer.sign({ aud: resource, jti: 'x5t', cnf: { 'x5t#S256': certificate } });
    const both = await issuer.sign({
      aud: resource,
      jti: 'both',
      cnf: { 'x5t#S256': certificate, jkt: key.thumbprint },
    });
    const shown = (value: string | null) => ({ ...present('bearer', null), certificate: () => value });
    for (const value of [null, '', 'D'.repeat(43), certificate.toLowerCase()]) {
      const result = await allowed.authenticate(bound, shown(value));
      assert.ok(isRefusal(result) && result.code === 'token_binding');
    }
    assert.ok(!isRefusal(await allowed.authenticate(bound, shown(certificate))));
    assert.ok(isRefusal(await allowed.authenticate(both, shown(certificate))));
    const proof = await key.proof({ htu: resource, token: both });
    assert.equal(await verdict(proof, allowed, both), 'token_binding');
    const whole = { ...present('dpop', proof), certificate: () => certificate };
    assert.ok(!isRefusal(await allowed.authenticate(both, whole)));
  });
});

describe('the replay guard', () => {
  const at = (start = 0) => {
    let now = start;
    const clock: Clock = { now: () => Date.now(), monotonic: () => now };
    return {
      clock,
      forward: (ms: number) => {
        now += ms;
      },
    };
  };

  it('remembers for as long as a proof is good, and no longer than twice that', () => {
    const { clock, forward } = at();
    const guard = new ReplayGuard({ clock, lifetimeMs: 1000, maxEntries: 10 });
    forward(999);
    assert.equal(guard.note('a'), 'first');
    forward(999);
    assert.equal(guard.note('a'), 'seen');
    forward(1002);
    assert.equal(guard.note('a'), 'first');
    forward(5000);
    assert.equal(guard.note('a'), 'first');
  });

  it('forgets nothing early: full, it takes no more', async () => {
    const { clock, forward } = at();
    const guard = new ReplayGuard({ clock, lifetimeMs: 1000, maxEntries: 2 });
    assert.deepEqual(
      ['a', 'b', 'c', 'a'].map((one) => guard.note(one)),
      ['first', 'first', 'full', 'seen'],
    );
    const code = await verdict(await key.proof(right), server('allowed', { replay: guard }));
    assert.equal(code, 'limit_concurrency');
    forward(1000);
    assert.equal(guard.note('c'), 'first');
    assert.equal(guard.note('a'), 'seen');
  });

  it('is not filled by who has no token', async () => {
    const guard = new ReplayGuard({ clock: systemClock, lifetimeMs: 60_000, maxEntries: 1 });
    const by = server('allowed', { replay: guard });
    for (let i = 0; i < 5; i++) {
      await verdict(await other.proof(right), by);
      await verdict(await key.proof(right, { claims: { ath: undefined } }), by);
    }
    assert.equal(await verdict(await key.proof(right), by), 'ok');
  });
});

describe('nonces', () => {
  it('are asked for, of this server, of now', async () => {
    let offset = 0;
    const clock: Clock = { now: () => Date.now() + offset, monotonic: () => performance.now() };
    const nonces = createNonces(randomBytes(32), clock);
    const by = server('allowed', { nonces });
    const foreign = createNonces(randomBytes(32), clock).current();
    for (const nonce of [undefined, '', foreign, randomUUID(), 1, [nonces.current()]]) {
      assert.equal(await verdict(await key.proof(right, { claims: { nonce } }), by), 'proof_nonce');
    }
    const nonce = nonces.current();
    assert.equal(await verdict(await key.proof(right, { claims: { nonce } }), by), 'ok');
    offset = 150_000;
    assert.ok(nonces.accepts(nonce), 'the one before is still good');
    offset = 450_001;
    assert.ok(!nonces.accepts(nonce), 'an old one is not');
  });
});
