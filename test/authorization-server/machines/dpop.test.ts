import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { tokenExchangeGrant } from '../../../src/authorization-server/clients/index.ts';
import {
  obtainToken,
  type RunningAuthorizationServer,
  register,
  requestToken,
  type TokenAnswer,
} from '../support.ts';
import { claimsOf, machine, secret, startWith } from './support.ts';

const subject_token_type = 'urn:ietf:params:oauth:token-type:access_token';

describe('machines that bind their tokens to a key (RFC 9449)', () => {
  let as: RunningAuthorizationServer;
  let person: string;
  before(async () => {
    as = await startWith([machine({ id: 'agent', grants: ['token_exchange', 'client_credentials'] })]);
    person = (await obtainToken(as, (await register(as)).client_id)).access_token;
  });
  after(() => as.close());

  async function prover() {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const prove = (jti: string) =>
      new SignJWT({ htm: 'POST', htu: `${as.issuer}/token`, jti, iat: Math.floor(Date.now() / 1000) })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .sign(privateKey);
    return { prove, thumbprint: await calculateJwkThumbprint(jwk) };
  }

  /** Asks with a proof, and once more with the nonce that the server may want. */
  async function ask(body: Record<string, string>, dpop: string): Promise<TokenAnswer> {
    const form = new URLSearchParams({ client_id: 'agent', client_secret: secret, ...body });
    const response = await fetch(`${as.issuer}/token`, { method: 'POST', body: form, headers: { dpop } });
    return { ...((await response.json()) as TokenAnswer), status: response.status };
  }
  const exchange = (subject_token: string) => ({
    grant_type: tokenExchangeGrant,
    subject_token,
    subject_token_type,
  });

  it('get one that is bound, by either grant', async () => {
    const { prove, thumbprint } = await prover();
    for (const body of [exchange(person), { grant_type: 'client_credentials' }]) {
      const answer = await ask(body, await prove(randomUUID()));
      assert.deepEqual(claimsOf(answer)['cnf'], { jkt: thumbprint });
      assert.equal(answer.token_type, 'DPoP');
    }
  });

  it('use a proof once', async () => {
    const { prove } = await prover();
    const proof = await prove(randomUUID());
    assert.equal((await ask(exchange(person), proof)).status, 200);
    assert.equal((await ask(exchange(person), proof)).access_token, undefined);
  });

  it('cannot turn a bound token into one that is not, or into another key', async () => {
    const { prove } = await prover();
    const bound = (await ask(exchange(person), await prove(randomUUID()))).access_token;
    const plain = { client_id: 'agent', client_secret: secret, ...exchange(bound) };
    assert.equal((await requestToken(as, plain)).error, 'invalid_grant');
    const thief = await prover();
    assert.equal((await ask(exchange(bound), await thief.prove(randomUUID()))).error, 'invalid_grant');
  });
});
