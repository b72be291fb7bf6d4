import { createHmac, timingSafeEqual } from 'node:crypto';
import { compactVerify, decodeJwt, decodeProtectedHeader, importJWK, type JWK, type JWTPayload } from 'jose';
import type { Faults } from './faults.ts';
import type { Issuer } from './issuer.ts';

export interface Caller {
  readonly subject: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly tokenId: string;
}

/** 400: ambiguous; 401: not accepted; 500: crashed. */
export type Verdict = Caller | 'ambiguous' | 'missing' | 'invalid' | 'crashed';

export interface Presented {
  /** Values of every Authorization header, as they came. */
  readonly authorization: readonly string[];
  readonly query: URLSearchParams;
}

/** Who calls, by the token. Each line that a fault switches off is a check that real servers have forgotten. */
export async function callerOf(presented: Presented, issuer: Issuer, faults: Faults): Promise<Verdict> {
  const token = tokenIn(presented, faults);
  if (token === 'ambiguous' || token === 'missing') return token;
  if (token === null) return 'invalid';
  try {
    const claims = await claimsOf(token, issuer, faults);
    return claims === null ? 'invalid' : callerFrom(claims);
  } catch {
    if (faults.has('garbage-crashes') && token.includes('.')) return 'crashed';
    if (faults.has('garbage-accepted') && token.split('.').length !== 3) return anybody;
    return 'invalid';
  }
}

const anybody: Caller = { subject: 'default', clientId: 'default', scopes: ['mcp:tools:read'], tokenId: '-' };

/** Null: a header that is no Bearer credential. */
function tokenIn(
  { authorization, query }: Presented,
  faults: Faults,
): string | 'ambiguous' | 'missing' | null {
  if (authorization.length > 1 && !faults.has('two-authorizations')) return 'ambiguous';
  const queried = query.get('access_token');
  if (faults.has('token-in-query') && queried !== null) return queried;
  const header = authorization[0];
  if (header === undefined) return 'missing';
  return /^bearer ([A-Za-z0-9\-._~+/]+=*)$/i.exec(header)?.[1] ?? null;
}

async function claimsOf(token: string, issuer: Issuer, faults: Faults): Promise<JWTPayload | null> {
  if (!(await isSigned(token, issuer, faults))) return null;
  const claims = decodeJwt(token);
  const { typ } = decodeProtectedHeader(token);
  const now = Date.now() / 1000;
  if (!faults.has('expired-accepted') && !(typeof claims.exp === 'number' && claims.exp > now)) return null;
  if (!faults.has('not-before-ignored') && typeof claims.nbf === 'number' && claims.nbf > now) return null;
  if (claims.iss !== issuer.url && !faults.has('any-issuer')) return null;
  if (typ !== 'at+jwt' && !faults.has('id-token')) return null;
  if (!isForUs(claims, issuer, faults)) return null;
  if (typeof claims.jti === 'string' && issuer.isRevoked(claims.jti)) return null;
  return claims;
}

function isForUs(claims: JWTPayload, issuer: Issuer, faults: Faults): boolean {
  const { aud } = claims;
  if (aud === undefined) return faults.has('missing-audience');
  if (faults.has('id-token') && claims['nonce'] !== undefined) return true;
  if (Array.isArray(aud)) return faults.has('one-audience-of-many') && aud.includes(issuer.resource);
  if (aud.startsWith(new URL(issuer.resource).origin))
    return faults.has('sibling-audience') || aud === issuer.resource;
  return faults.has('any-audience') && claims['nonce'] === undefined;
}

async function isSigned(token: string, issuer: Issuer, faults: Faults): Promise<boolean> {
  const header = decodeProtectedHeader(token);
  if (header.alg === 'none') return faults.has('alg-none');
  if (header.alg === 'HS256') return faults.has('hmac-public-key') && isHmac(token, issuer);
  const keys = [...issuer.trustedKeys(faults.has('any-issuer'))];
  if (faults.has('embedded-jwk') && header.jwk) keys.push(header.jwk as JWK);
  for (const key of keys) {
    if (await isSignedBy(token, key)) return true;
  }
  return faults.has('signature-unread') && issuer.minted(token.slice(0, token.lastIndexOf('.')));
}

async function isSignedBy(token: string, key: JWK): Promise<boolean> {
  try {
    await compactVerify(token, await importJWK(key, key.alg ?? 'ES256'), { algorithms: ['ES256', 'RS256'] });
    return true;
  } catch {
    return false;
  }
}

function isHmac(token: string, issuer: Issuer): boolean {
  const at = token.lastIndexOf('.');
  const given = Buffer.from(token.slice(at + 1), 'base64url');
  return issuer.publicKeyForms().some((secret) => {
    const expected = createHmac('sha256', secret).update(token.slice(0, at)).digest();
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function callerFrom(claims: JWTPayload): Caller {
  return {
    subject: String(claims.sub ?? ''),
    clientId: String(claims['client_id'] ?? ''),
    scopes: String(claims['scope'] ?? '').split(' '),
    tokenId: String(claims.jti ?? ''),
  };
}
