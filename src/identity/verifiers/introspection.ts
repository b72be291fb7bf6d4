import { type Clock, isRefusal, type Refusal, refuse } from '../../base/index.ts';
import { type ClaimRules, isFromTheFuture, verifiedToken } from '../claims.ts';
import type { Introspector } from '../introspection/introspector.ts';
import { claimOf, readJwt } from '../jwt.ts';
import type { Principal } from '../principal.ts';
import { isCalledAccessToken } from '../token-kind.ts';
import type { VerifiedToken, Verifier } from '../verifier.ts';

export interface IntrospectionVerifierOptions {
  readonly rules: ClaimRules;
  readonly introspector: Introspector;
  /** Checks the signature first; null where the issuer's word is enough. */
  readonly signature: Verifier | null;
  /** How long an answer is believed: the bound on revocation. */
  readonly maxAgeMs: number;
  readonly takesOpaque: boolean;
  /** Seconds that clocks may differ. */
  readonly skewSeconds: number;
  readonly clock: Clock;
}

/** Tokens of the principals that somebody still holds (a cache, a stream): to ask again takes the token. */
const tokens = new WeakMap<Principal, string>();

type Claims = Readonly<Record<string, unknown>>;

/** Tokens that their issuer is asked about (RFC 7662). */
export function createIntrospectionVerifier(options: IntrospectionVerifierOptions): Verifier {
  const { rules, signature, maxAgeMs, takesOpaque } = options;
  return {
    issuer: rules.issuer,
    takesOpaque: takesOpaque && signature === null,
    maxAgeMs,
    async verify(token) {
      const verified = await (signature
        ? verifyBoth(token, signature, options)
        : introspect(token, {}, options));
      if (!isRefusal(verified)) tokens.set(verified.principal, token);
      return verified;
    },
    async isWithdrawn(principal) {
      const token = tokens.get(principal);
      return token !== undefined && (await options.introspector.ask(token)).state === 'inactive';
    },
    isRevoked: (principal) => signature?.isRevoked(principal) ?? false,
  };
}

/** The signature says whose token it is, the issuer whether it still is one: both must speak of the same. */
async function verifyBoth(
  token: string,
  signature: Verifier,
  options: IntrospectionVerifierOptions,
): Promise<VerifiedToken | Refusal> {
  const signed = await signature.verify(token);
  if (isRefusal(signed)) return signed;
  const reading = readJwt(token);
  const claims = reading.kind === 'jwt' ? reading.claims : {};
  const live = await introspect(token, claims, options);
  if (isRefusal(live)) return live;
  const isSame =
    live.principal.key === signed.principal.key &&
    JSON.stringify(live.confirmation) === JSON.stringify(signed.confirmation);
  if (!isSame) return unusable('its issuer says something else than its signature');
  const expiresAt = Math.min(live.principal.expiresAt, signed.principal.expiresAt);
  return { ...live, principal: { ...live.principal, expiresAt } };
}

async function introspect(
  token: string,
  signed: Claims,
  options: IntrospectionVerifierOptions,
): Promise<VerifiedToken | Refusal> {
  const { introspector, rules } = options;
  const answer = await introspector.ask(token);
  switch (answer.state) {
    case 'inactive':
      return refuse('token_revoked', 'The access token is no longer valid');
    case 'unavailable':
      return refuse('issuer_unavailable', 'The token cannot be checked at the moment', {
        detail: answer.detail,
      });
    case 'active': {
      const claims = withExpiry({ ...signed, ...answer.claims }, options);
      return faultIn(answer.claims, claims, options) ?? verifiedToken(claims, rules, token);
    }
  }
}

/** RFC 7662 section 2.2 makes `exp` optional: then the token is good until the issuer is asked again. */
function withExpiry(claims: Claims, { clock, maxAgeMs }: IntrospectionVerifierOptions): Claims {
  return claimOf(claims, 'exp') === undefined
    ? { ...claims, exp: Math.ceil((clock.now() + maxAgeMs) / 1000) }
    : claims;
}

/** `active` is the issuer's word for it; what it says beside that is checked like claims of a token. */
function faultIn(answer: Claims, claims: Claims, options: IntrospectionVerifierOptions): Refusal | null {
  const { rules, skewSeconds } = options;
  const now = options.clock.now() / 1000;
  const { iss, exp, nbf } = claims;
  if (iss !== undefined && iss !== rules.issuer)
    return refuse('token_issuer', 'The access token is not valid', {
      detail: 'introspected for another issuer',
    });
  if (typeof exp === 'number' && exp <= now - skewSeconds)
    return refuse('token_expired', 'The access token has expired');
  if (nbf !== undefined && typeof nbf !== 'number') return unusable('no usable nbf');
  if (nbf !== undefined && nbf > now + skewSeconds)
    return refuse('token_not_yet_valid', 'The access token is not valid');
  if (isFromTheFuture(claimOf(claims, 'iat'), now + skewSeconds))
    return refuse('token_not_yet_valid', 'The access token is not valid', { detail: 'iat is in the future' });
  if (!isCalledAccessToken(answer))
    return refuse('token_type', 'The access token is not usable here', {
      detail: 'introspected as another kind',
    });
  return null;
}

function unusable(detail: string): Refusal {
  return refuse('token_claims', 'The access token is not usable here', { detail });
}
