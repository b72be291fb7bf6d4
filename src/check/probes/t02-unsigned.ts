import type { Probe } from '../probe.ts';
import { forged, plausibleClaims, unsigned } from '../tokens/forge.ts';
import { allRefused } from '../tokens/trial.ts';

export const unsignedToken: Probe = {
  id: 'T02',
  title: 'A token without a signature is refused',
  severity: 'critical',
  mode: 'none',
  reference: 'RFC 8725 sections 2.1 and 3.1',
  guideItems: [5],
  why: 'Anyone can write a token with alg "none" and any name in it.',
  remedy: {
    words:
      'Fix the list of algorithms on the server’s side; never take it from the token. Decoding is not verifying.',
    express: 'jose: jwtVerify(token, keys, { algorithms: ["ES256"] }), not decodeJwt.',
    fastmcp: 'JWTVerifier(algorithm="RS256", jwks_uri=…).',
    sdk: 'verifyAccessToken must call jwtVerify with algorithms, issuer and audience.',
    portcullis: 'auth.issuers[].algorithms: asymmetric ones alone.',
  },
  async run(context) {
    const claims = await plausibleClaims(context);
    const trials = ['none', 'None', 'NONE', 'nOnE', ''].map((alg) => ({
      what: `alg ${alg || 'empty'}`,
      token: forged(unsigned({ alg, typ: 'at+jwt' }, claims)),
    }));
    const stripped = [
      { what: 'RS256 without a signature', token: forged(unsigned({ alg: 'RS256', typ: 'at+jwt' }, claims)) },
      { what: 'ES256 of zeros', token: forged(unsigned({ alg: 'ES256', typ: 'at+jwt' }, claims, zeros)) },
    ];
    return allRefused(context, [...trials, ...stripped]);
  },
};

/** r = s = 0: CVE-2022-21449. */
const zeros = Buffer.alloc(64).toString('base64url');
