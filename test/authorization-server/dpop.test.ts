import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  calculateJwkThumbprint,
  decodeJwt,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';
import {
  alice,
  codeRequest,
  type RunningAuthorizationServer,
  redirectUri,
  register,
  signInAndConsent,
  startAuthorizationServer,
  type TokenAnswer,
} from './support.ts';

interface Holder {
  readonly thumbprint: string;
  prove(url: string, more?: { claims?: JWTPayload; header?: Record<string, unknown> }): Promise<string>;
}

async function holder(): Promise<Holder> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    prove: (url, { claims = {}, header = {} } = {}) =>
      new SignJWT({ htm: 'POST', htu: url, jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
        .setIssuedAt((claims.iat as number | undefined) ?? undefined)
        .sign(privateKey),
  };
}

type Answer = TokenAnswer & { readonly nonce: string | null };

async function send(
  as: RunningAuthorizationServer,
  form: Record<string, string>,
  proof: string | null,
): Promise<Answer> {
  const response = await fetch(`${as.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers: proof === null ? {} : { dpop: proof },
  });
  const body = (await response.json()) as TokenAnswer;
  return { ...body, status: response.status, nonce: response.headers.get('dpop-nonce') };
}

async function codeFor(as: RunningAuthorizationServer, clientId: string, more: Record<string, string> = {}) {
  const { url, verifier } = codeRequest(as, clientId, more);
  const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
  return {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  };
}

describe('DPoP at the token endpoint (RFC 9449)', () => {
  let as: RunningAuthorizationServer;
  let endpoint: string;
  before(async () => {
    as = await startAuthorizationServer();
    endpoint = `${as.issuer}/token`;
  });
  after(() => as.close());

  const refreshForm = (clientId: string, token: string) => ({
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: token,
  });

  it('binds access and refresh token of a public client to its key', async () => {
    const { client_id } = await register(as);
    const [owner, thief] = [await holder(), await holder()];
    const tokens = await send(as, await codeFor(as, client_id), await owner.prove(endpoint));
    assert.deepEqual([tokens.status, tokens.token_type], [200, 'DPoP'], tokens.error_description);
    assert.deepEqual(decodeJwt(tokens.access_token)['cnf'], { jkt: owner.thumbprint });
    const form = refreshForm(client_id, tokens.refresh_token);
    for (const proof of [null, await thief.prove(endpoint)]) {
      assert.notEqual((await send(as, form, proof)).status, 200);
    }
    const refreshed = await send(as, form, await owner.prove(endpoint));
    assert.equal(refreshed.status, 200);
    assert.deepEqual(decodeJwt(refreshed.access_token)['cnf'], { jkt: owner.thumbprint });
    // No grace for a second use: the owner of the key has no excuse for it.
    assert.equal((await send(as, form, await owner.prove(endpoint))).error, 'invalid_grant');
    const ended = refreshForm(client_id, refreshed.refresh_token);
    assert.equal((await send(as, ended, await owner.prove(endpoint))).error, 'invalid_grant');
  });

  it('binds a code to the key that the request named', async () => {
    const { client_id } = await register(as);
    const [owner, thief] = [await holder(), await holder()];
    const form = await codeFor(as, client_id, { dpop_jkt: owner.thumbprint });
    assert.equal((await send(as, form, await thief.prove(endpoint))).error, 'invalid_grant');
    const again = await codeFor(as, client_id, { dpop_jkt: owner.thumbprint });
    assert.notEqual((await send(as, again, null)).status, 200);
    const right = await codeFor(as, client_id, { dpop_jkt: owner.thumbprint });
    assert.equal((await send(as, right, await owner.prove(endpoint))).status, 200);
  });

  it('introspects a bound token as one', async () => {
    const { client_id } = await register(as);
    const owner = await holder();
    const tokens = await send(as, await codeFor(as, client_id), await owner.prove(endpoint));
    const response = await fetch(`${as.issuer}/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ client_id, token: tokens.access_token }),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    assert.deepEqual([answer['active'], answer['token_type']], [true, 'DPoP']);
    assert.deepEqual(answer['cnf'], { jkt: owner.thumbprint });
  });

  it('takes a proof once, however many come at the same time', async () => {
    const { client_id } = await register(as);
    const owner = await holder();
    const proof = await owner.prove(endpoint);
    const forms = await Promise.all([1, 2, 3].map(() => codeFor(as, client_id)));
    const answers = await Promise.all(forms.map((form) => send(as, form, proof)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  });

  const wrong: Record<string, (owner: Holder) => Promise<string>> = {
    'another URL': (owner) => owner.prove('https://evil.example/oauth/token'),
    'another path': (owner) => owner.prove(endpoint.replace('/token', '/revoke')),
    'another method': (owner) => owner.prove(endpoint, { claims: { htm: 'GET' } }),
    'another type': (owner) => owner.prove(endpoint, { header: { typ: 'jwt' } }),
    'no key': (owner) => owner.prove(endpoint, { header: { jwk: undefined } }),
    'an old date': (owner) => owner.prove(endpoint, { claims: { iat: 1_000_000_000 } }),
    'a date to come': (owner) => owner.prove(endpoint, { claims: { iat: 4_000_000_000 } }),
    'a nonce that is not ours': (owner) => owner.prove(endpoint, { claims: { nonce: 'x' } }),
    'no id': (owner) => owner.prove(endpoint, { claims: { jti: undefined } as unknown as JWTPayload }),
    'a private key in it': async () => {
      const { privateKey } = await generateKeyPair('ES256', { extractable: true });
      return new SignJWT({ htm: 'POST', htu: endpoint, jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(privateKey) })
        .setIssuedAt()
        .sign(privateKey);
    },
    'a shared secret as key': () =>
      new SignJWT({ htm: 'POST', htu: endpoint, jti: randomUUID() })
        .setProtectedHeader({
          alg: 'HS256',
          typ: 'dpop+jwt',
          jwk: { kty: 'oct', k: Buffer.alloc(32).toString('base64url') } as JWK,
        })
        .setIssuedAt()
        .sign(Buffer.alloc(32)),
    'another key than it is signed with': async (owner) => {
      const { publicKey } = await generateKeyPair('ES256');
      return owner.prove(endpoint, { header: { jwk: await exportJWK(publicKey) } });
    },
    'no signature': async (owner) => `${(await owner.prove(endpoint)).split('.').slice(0, 2).join('.')}.`,
    'a very long text': async () => 'a'.repeat(8_000),
  };
  for (const [what, make] of Object.entries(wrong)) {
    it(`refuses a proof with ${what}`, async () => {
      const { client_id } = await register(as);
      const form = refreshForm(client_id, createHash('sha256').update(what).digest('base64url'));
      const answer = await send(as, form, await make(await holder()));
      assert.ok([400, 401].includes(answer.status), String(answer.status));
      assert.match(answer.error ?? '', /^(invalid_dpop_proof|use_dpop_nonce)$/);
    });
  }

  it('follows the configured public URL, not the Host header', async () => {
    const { client_id } = await register(as);
    const owner = await holder();
    const proof = await owner.prove('http://evil.example/oauth/token');
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { dpop: proof, 'x-forwarded-host': 'evil.example' },
      body: new URLSearchParams(refreshForm(client_id, 'x')),
    });
    assert.equal(((await response.json()) as { error: string }).error, 'invalid_dpop_proof');
  });
});

describe('DPoP as configured', () => {
  it('required: no proof, no token; a nonce of ours is asked for, and good for one proof', async () => {
    const as = await startAuthorizationServer({ signIn: { dpop: 'required' } });
    try {
      const endpoint = `${as.issuer}/token`;
      const { client_id } = await register(as, { dpop_bound_access_tokens: false });
      assert.notEqual((await send(as, await codeFor(as, client_id), null)).status, 200);
      const owner = await holder();
      const form = await codeFor(as, client_id);
      const asked = await send(as, form, await owner.prove(endpoint));
      assert.equal(asked.error, 'use_dpop_nonce');
      assert.ok(asked.nonce);
      const proof = await owner.prove(endpoint, { claims: { nonce: asked.nonce } });
      const tokens = await send(as, form, proof);
      assert.deepEqual([tokens.status, tokens.token_type], [200, 'DPoP'], tokens.error_description);
      const replayed = await send(as, await codeFor(as, client_id), proof);
      assert.notEqual(replayed.status, 200);
    } finally {
      await as.close();
    }
  });

  it('off: not advertised, and a proof changes nothing', async () => {
    const as = await startAuthorizationServer({ signIn: { dpop: 'off' } });
    try {
      const metadata = await fetch(`${as.url}/.well-known/oauth-authorization-server/oauth`);
      assert.ok(!('dpop_signing_alg_values_supported' in ((await metadata.json()) as object)));
      const { client_id } = await register(as);
      const owner = await holder();
      const tokens = await send(as, await codeFor(as, client_id), await owner.prove(`${as.issuer}/token`));
      assert.equal(tokens.token_type, 'Bearer');
      assert.equal(decodeJwt(tokens.access_token)['cnf'], undefined);
    } finally {
      await as.close();
    }
  });
});
