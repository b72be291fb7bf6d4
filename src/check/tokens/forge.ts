import { createHmac } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { randomToken, Secret } from '../../base/index.ts';
import type { CheckContext } from '../context.ts';
import { discover } from '../discovery/discovery.ts';
import type { NamedSecret } from '../evidence.ts';
import { stringsOf } from '../exchange.ts';

/** The claims that a real token for the target would probably have: all from public metadata. */
export async function plausibleClaims(context: CheckContext): Promise<Record<string, unknown>> {
  const { resource, servers } = await context.once(discover);
  const now = Math.floor(context.clock.now() / 1000);
  return {
    iss: servers[0]?.issuer ?? context.mill?.issuer ?? context.target.origin,
    aud: resource?.document?.['resource'] ?? context.target.href,
    sub: 'portcullis-check',
    client_id: 'portcullis-check',
    scope: stringsOf(resource?.document?.['scopes_supported']).join(' '),
    iat: now,
    exp: now + 600,
    jti: randomToken(12),
  };
}

export interface OwnKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

/** A key that no issuer has. */
export async function ownKey(alg: 'RS256' | 'ES256' = 'RS256'): Promise<OwnKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), alg, kid: 'portcullis-check', use: 'sig' } };
}

/** A proper signature by a key of ours, under any header. */
export async function signed(
  claims: Readonly<Record<string, unknown>>,
  key: OwnKey,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const alg = key.jwk.alg ?? 'RS256';
  return new SignJWT({ ...claims })
    .setProtectedHeader({ typ: 'at+jwt', ...header, alg })
    .sign(key.privateKey);
}

/** Put together by hand: what no library would make. */
export function unsigned(header: object, claims: object, signature = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}

/** HMAC with any bytes as its key, the empty ones and a public key included. */
export function hmacSigned(header: object, claims: object, key: string | Uint8Array): string {
  const body = unsigned(header, claims).replace(/\.$/, '');
  return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
}

export function forged(text: string): NamedSecret {
  return { name: 'forged', secret: new Secret(text) };
}
