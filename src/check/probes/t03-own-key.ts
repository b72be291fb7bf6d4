import { publishedKeys } from '../discovery/discovery.ts';
import type { Probe } from '../probe.ts';
import { forged, hmacSigned, ownKey, plausibleClaims, signed } from '../tokens/forge.ts';
import { allRefused, type Trial } from '../tokens/trial.ts';

/** A name that resolves nowhere (RFC 6761): whoever fetches it fails. */
const elsewhere = 'https://keys.portcullis-check.invalid/jwks.json';

export const foreignKey: Probe = {
  id: 'T03',
  title: 'A token cannot bring its own key',
  severity: 'critical',
  mode: 'none',
  reference: 'RFC 8725 sections 3.10 and 3.12; RFC 7515 section 4.1',
  guideItems: [5],
  why: 'jwk, jku, x5u, x5c and kid are written by whoever made the token. A server that follows them lets the forger name the judge.',
  remedy: {
    words:
      'Take keys from the configured issuer’s JWKS alone; use kid to look up in it and for nothing else.',
    express: 'createRemoteJWKSet(new URL(issuer’s jwks_uri)); never EmbeddedJWK for access tokens.',
    fastmcp: 'JWTVerifier(jwks_uri=…) with the issuer’s address.',
    sdk: 'createRemoteJWKSet in verifyAccessToken.',
    portcullis:
      'auth.issuers[].jwksUri, or the issuer’s own metadata; the token’s header names no key source.',
  },
  async run(context) {
    const claims = await plausibleClaims(context);
    const key = await ownKey();
    const kid = (await context.once(publishedKeys))[0]?.['kid'];
    const own = async (what: string, header: Record<string, unknown>): Promise<Trial> => ({
      what,
      token: forged(await signed(claims, key, header)),
    });
    const hmac = (what: string, header: object, secret: string): Trial => ({
      what,
      token: forged(hmacSigned({ alg: 'HS256', typ: 'at+jwt', ...header }, claims, secret)),
    });
    return allRefused(context, [
      await own('an unknown key', {}),
      await own('an unknown key under a known kid', { kid: typeof kid === 'string' ? kid : 'default' }),
      await own('jwk in the header', { jwk: key.jwk }),
      await own('jku in the header', { jku: elsewhere, kid: key.jwk.kid }),
      await own('x5u in the header', { x5u: elsewhere }),
      await own('x5c in the header', { x5c: ['MIIB'] }),
      hmac('kid as a path, empty key', { kid: '../../../../../../dev/null' }, ''),
      hmac('kid as SQL', { kid: "x' UNION SELECT 'portcullis" }, 'portcullis'),
      hmac('a guessed secret', {}, 'secret'),
      hmac('an empty secret', {}, ''),
    ]);
  },
};
