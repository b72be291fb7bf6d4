import type { JWTPayload } from 'jose';
import { type Refusal, refuse, sha256Hex } from '../base/index.ts';
import type { Principal } from './principal.ts';

export interface ClaimRules {
  readonly issuer: string;
  /** Exact audiences that mean this server. One trailing slash more or less is tolerated, nothing else. */
  readonly audience: readonly string[];
  /** Claim with the scopes: a space-separated string or an array of strings. */
  readonly scopes: string;
  readonly organization: string | null;
  /** Claim that names the grant; null where the issuer says none. */
  readonly grant: string | null;
}

const maxScopes = 200;
/** The largest date that JavaScript can hold, in seconds: an `exp` beyond it is no time. */
const maxNumericDate = 8.64e12;

/** Verified claims → principal. Signature, `iss`, `exp` and `nbf` have been checked; the shapes have not. */
export function principalOf(claims: JWTPayload, rules: ClaimRules, token: string): Principal | Refusal {
  const subject = claims.sub;
  if (typeof subject !== 'string' || subject === '') return unusable('no usable sub');
  if (typeof claims.exp !== 'number' || !(claims.exp > 0 && claims.exp < maxNumericDate))
    return unusable('no usable exp');
  const audience = matchingAudience(claims.aud, rules.audience);
  if (audience === null) {
    return refuse('token_audience', 'The access token is not meant for this server', {
      detail: `aud ${JSON.stringify(claims.aud ?? null).slice(0, 200)}`,
    });
  }
  const scopes = scopesOf(claims[rules.scopes]);
  if (scopes === null) return unusable(`claim ${rules.scopes} is neither a string nor a list of strings`);
  const clientId = textClaim(claims['client_id']) ?? textClaim(claims['azp']) ?? '';
  const organization = (rules.organization && textClaim(claims[rules.organization])) || rules.issuer;
  return {
    issuer: rules.issuer,
    subject,
    clientId,
    organization,
    scopes,
    tokenId: textClaim(claims.jti) ?? `sha256:${sha256Hex(token).slice(0, 32)}`,
    grantId: (rules.grant && textClaim(claims[rules.grant])) || null,
    expiresAt: claims.exp,
    audience,
    key: JSON.stringify([rules.issuer, subject, clientId]),
    subjectKey: JSON.stringify([rules.issuer, subject]),
  };
}

/** RFC 8707 section 2 and RFC 9068 section 4: the token must name this server. Exact strings: no case, no encoding games. */
export function matchingAudience(aud: unknown, accepted: readonly string[]): string | null {
  const offered: unknown[] = Array.isArray(aud) ? aud : [aud];
  for (const candidate of offered) {
    if (typeof candidate !== 'string') continue;
    for (const own of accepted) {
      if (candidate === own || candidate === `${own}/` || `${candidate}/` === own) return own;
    }
  }
  return null;
}

function scopesOf(claim: unknown): readonly string[] | null {
  if (claim === undefined) return [];
  const list = typeof claim === 'string' ? claim.split(' ').filter((scope) => scope !== '') : claim;
  if (!Array.isArray(list) || list.length > maxScopes) return null;
  return list.every((scope) => typeof scope === 'string') ? (list as string[]) : null;
}

function textClaim(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim !== '' && claim.length <= 500 ? claim : undefined;
}

function unusable(detail: string): Refusal {
  return refuse('token_claims', 'The access token is not usable here', { detail });
}
