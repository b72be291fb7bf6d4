import { createPublicKey } from 'node:crypto';
import { type PublicKey, publishedKeys } from '../discovery/discovery.ts';
import { notTested, type Probe } from '../probe.ts';
import { forged, hmacSigned, plausibleClaims } from '../tokens/forge.ts';
import { allRefused, type Trial } from '../tokens/trial.ts';

export const publicKeyAsSecret: Probe = {
  id: 'T04',
  title: 'The public key is no HMAC secret',
  severity: 'critical',
  mode: 'none',
  reference: 'RFC 8725 section 2.1 (algorithm confusion)',
  guideItems: [5],
  why: 'The public key is public. A verifier that uses it for HS256 lets everybody sign.',
  remedy: {
    words:
      'Fix the algorithms to those of the issuer, asymmetric ones; a library that takes alg from the token must be replaced.',
    express:
      'jwtVerify(token, keys, { algorithms: ["RS256"] }); with jsonwebtoken, algorithms is not optional.',
    fastmcp: 'JWTVerifier(algorithm="RS256", …).',
    sdk: 'algorithms in jwtVerify.',
    portcullis: 'auth.issuers[].algorithms takes no symmetric one.',
  },
  async run(context) {
    const keys = await context.once(publishedKeys);
    if (keys.length === 0)
      return notTested('the authorization server publishes no keys that could be misused');
    const claims = await plausibleClaims(context);
    const trials = keys.slice(0, 3).flatMap((key) => trialsOf(key, claims));
    return allRefused(context, trials);
  },
};

function trialsOf(jwk: PublicKey, claims: object): Trial[] {
  const header = { alg: 'HS256', typ: 'at+jwt', ...(typeof jwk['kid'] === 'string' && { kid: jwk['kid'] }) };
  return secretsFrom(jwk).map(([what, secret]) => ({
    what: `HS256 with the ${what}`,
    token: forged(hmacSigned(header, claims, secret)),
  }));
}

function secretsFrom(jwk: PublicKey): [string, string | Uint8Array][] {
  const text: [string, string][] = [['key’s JSON', JSON.stringify(jwk)]];
  try {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    const pem = String(key.export({ type: 'spki', format: 'pem' }));
    const der = key.export({ type: 'spki', format: 'der' });
    return [...text, ['PEM', pem], ['PEM without its last newline', pem.trimEnd()], ['DER', der]];
  } catch {
    return text;
  }
}
