import { type Refusal, refuse, sha256Hex } from '../base/index.ts';
import { actorsOf } from './actors.ts';
import { confirmationOf } from './confirmation.ts';
import { claimOf, signedPart } from './jwt.ts';
import type { Principal } from './principal.ts';
import type { VerifiedToken } from './verifier.ts';

export interface ClaimRules {
  readonly issuer: string;
  /**
   * Exact audiences that mean this server. One trailing slash more or less is tolerated, nothing else. Null only where
   * `clientIds` stands in for it, because the issuer mints no audience of use.
   */
  readonly audience: readonly string[] | null;
  /** Where the audience is; `aud` unless given. */
  readonly audienceClaim?: string;
  /** Every audience of the token must be one of ours. */
  readonly exclusiveAudience?: boolean;
  /** Clients whose tokens are accepted; anyone's unless given. */
  readonly clientIds?: readonly string[] | null;
  /** Claims with scopes: each a space-separated string or an array of strings. */
  readonly scopes: string | readonly string[];
  /** Claim that names the caller; `sub` unless given. */
  readonly subject?: string;
  /** Claim that names the client; `client_id`, then `azp` unless given. */
  readonly client?: string | null;
  readonly organization: string | null;
  /** Claims that must hold a value, or a list with it. */
  readonly required?: Readonly<Record<string, string>>;
  /** Claim that names the grant; null where the issuer says none. */
  readonly grant: string | null;
}

type Claims = Readonly<Record<string, unknown>>;

const maxScopes = 200;
/** The largest date that JavaScript can hold, in seconds: an `exp` beyond it is no time. */
const maxNumericDate = 8.64e12;

/**
 * Claims that their issuer vouches for → who calls. Signature (or introspection), `iss`, `exp` and `nbf` have been checked; the
 * shapes have not.
 */
export function verifiedToken(claims: Claims, rules: ClaimRules, token: string): VerifiedToken | Refusal {
  const subject = claimOf(claims, rules.subject ?? 'sub');
  if (typeof subject !== 'string' || subject === '') return unusable('no usable subject');
  const expiresAt = claimOf(claims, 'exp');
  if (typeof expiresAt !== 'number' || !(expiresAt > 0 && expiresAt < maxNumericDate))
    return unusable('no usable exp');
  const clientId = clientOf(claims, rules);
  const audience = boundTo(claims, rules, clientId);
  if (typeof audience !== 'string') return audience;
  const missing = missingClaim(claims, rules.required ?? {});
  if (missing !== null) return unusable(`claim ${missing} has not the value that is required`);
  const scopes = scopesIn(claims, [rules.scopes].flat());
  if (scopes === null) return unusable('a claim with scopes is neither a string nor a list of strings');
  const confirmation = confirmationOf(claimOf(claims, 'cnf'));
  if (confirmation === 'unusable') return unusable('cnf asks for a proof that cannot be checked');
  const actors = actorsOf(claimOf(claims, 'act'));
  if (actors === null) return unusable('act does not name who acts');
  const issuedAt = claimOf(claims, 'iat');
  const principal: Principal = {
    issuer: rules.issuer,
    subject,
    clientId,
    organization: (rules.organization && textIn(claims, rules.organization)) || rules.issuer,
    scopes,
    tokenId: tokenIdOf(claims, token),
    grantId: (rules.grant && textIn(claims, rules.grant)) || null,
    actors,
    ...(confirmation !== null && confirmation.certificate !== null && { byCertificate: true }),
    issuedAt: typeof issuedAt === 'number' && Number.isFinite(issuedAt) ? issuedAt : null,
    expiresAt,
    audience,
    key: JSON.stringify([rules.issuer, subject, clientId]),
    subjectKey: JSON.stringify([rules.issuer, subject]),
  };
  return { principal, confirmation };
}

/**
 * Whether a token claims to be made later than now: no revocation of what was made until now would reach it.
 * @param latest epoch seconds
 */
export function isFromTheFuture(issuedAt: unknown, latest: number): boolean {
  return typeof issuedAt === 'number' && issuedAt > latest;
}

/**
 * The `jti`; a digest stands in for one that is missing, or that is the token: issuers of opaque tokens are known to give the token,
 * or most of it, as its own id, and this is written down. The digest is of what is signed: of an ECDSA signature its holder can make
 * a second one that is as good, and would be another token at each use.
 */
function tokenIdOf(claims: Claims, token: string): string {
  const id = textIn(claims, 'jti');
  const isToken = id !== undefined && token.includes(id) && id.length * 2 >= token.length;
  return id === undefined || isToken ? `sha256:${sha256Hex(signedPart(token)).slice(0, 32)}` : id;
}

/** What ties the token to this server. There is no way through without either an audience or a client. */
function boundTo(claims: Claims, rules: ClaimRules, clientId: string): string | Refusal {
  const { audience: accepted, clientIds = null } = rules;
  const isKnownClient = clientIds !== null && clientId !== '' && clientIds.includes(clientId);
  if (clientIds !== null && !isKnownClient) return notForUs('its client is not one of clientIds');
  if (accepted === null) return isKnownClient ? `client ${clientId}` : notForUs('nothing ties it to us');
  const offered = claimOf(claims, rules.audienceClaim ?? 'aud');
  const audience = matchingAudience(offered, accepted);
  if (audience === null) return notForUs(`its audience is ${JSON.stringify(offered ?? null).slice(0, 200)}`);
  const all: unknown[] = Array.isArray(offered) ? offered : [offered];
  const alone = all.every((one) => matchingAudience(one, accepted) !== null);
  return alone || !rules.exclusiveAudience ? audience : notForUs('it is for others, too');
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

function clientOf(claims: Claims, { client = null }: ClaimRules): string {
  if (client !== null) return textIn(claims, client) ?? '';
  return textIn(claims, 'client_id') ?? textIn(claims, 'azp') ?? '';
}

/** The first claim that is not as required, or null. */
function missingClaim(claims: Claims, required: Readonly<Record<string, string>>): string | null {
  for (const [name, value] of Object.entries(required)) {
    const found = claimOf(claims, name);
    if (found !== value && !(Array.isArray(found) && found.includes(value))) return name;
  }
  return null;
}

function scopesIn(claims: Claims, names: readonly string[]): readonly string[] | null {
  const found = new Set<string>();
  for (const name of names) {
    const scopes = scopesOf(claimOf(claims, name));
    if (scopes === null) return null;
    for (const scope of scopes) found.add(scope);
  }
  return found.size <= maxScopes ? [...found] : null;
}

function scopesOf(claim: unknown): readonly string[] | null {
  if (claim === undefined) return [];
  const list = typeof claim === 'string' ? claim.split(' ').filter((scope) => scope !== '') : claim;
  if (!Array.isArray(list) || list.length > maxScopes) return null;
  return list.every((scope) => typeof scope === 'string') ? (list as string[]) : null;
}

function textIn(claims: Claims, name: string): string | undefined {
  const claim = claimOf(claims, name);
  return typeof claim === 'string' && claim !== '' && claim.length <= 500 ? claim : undefined;
}

function unusable(detail: string): Refusal {
  return refuse('token_claims', 'The access token is not usable here', { detail });
}

function notForUs(detail: string): Refusal {
  return refuse('token_audience', 'The access token is not meant for this server', { detail });
}
