import { createHash, randomUUID } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** A client's key, and proofs that are right but for what the test changes. */
export interface ProofKey {
  readonly thumbprint: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  /** A claim or header set to undefined is left out. */
  proof(
    request: { htm?: string; htu: string; token: string },
    change?: { claims?: Record<string, unknown>; header?: Record<string, unknown> },
  ): Promise<string>;
}

export async function proofKey(algorithm = 'ES256'): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(publicKey);
  const given = (all: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    jwk,
    privateKey,
    proof: ({ htm = 'POST', htu, token }, { claims = {}, header = {} } = {}) =>
      new SignJWT(
        given({
          jti: randomUUID(),
          htm,
          htu,
          iat: Math.floor(Date.now() / 1000),
          ath: createHash('sha256').update(token).digest('base64url'),
          ...claims,
        }),
      )
        .setProtectedHeader({ alg: algorithm, ...given({ typ: 'dpop+jwt', jwk, ...header }) })
        .sign(privateKey),
  };
}
