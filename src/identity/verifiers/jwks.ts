import {
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import { type Clock, isRefusal, messageOf, type Refusal, refuse } from '../../base/index.ts';
import { type ClaimRules, isFromTheFuture, verifiedToken } from '../claims.ts';
import type { Principal } from '../principal.ts';
import { isCalledAccessToken, looksLikeAnotherKind } from '../token-kind.ts';
import type { VerifiedToken, Verifier } from '../verifier.ts';

export interface JwksVerifierOptions {
  readonly rules: ClaimRules;
  /** Allow-list; asymmetric ones only. */
  readonly algorithms: readonly string[];
  /** Accepted `typ` header values, lower case, without `application/`. */
  readonly typ: readonly string[];
  /** Finds the key among those of this issuer alone. Throws `IssuerUnavailable` when there are no keys to look in. */
  readonly key: JWTVerifyGetKey;
  /** Seconds that clocks may differ. */
  readonly skewSeconds: number;
  readonly clock: Clock;
  /** The deny-list; absent for issuers whose revocations cannot be known. */
  readonly isRevoked?: (principal: Principal) => boolean;
}

/** The issuer's keys cannot be had now: the token is neither good nor bad. */
export class IssuerUnavailable extends Error {
  override readonly name = 'IssuerUnavailable';
}

/** JWT access tokens (RFC 9068) by the signature keys of their issuer. */
export function createJwksVerifier(options: JwksVerifierOptions): Verifier {
  return {
    issuer: options.rules.issuer,
    verify: (token) => verify(token, options),
    isRevoked: (principal) => options.isRevoked?.(principal) ?? false,
  };
}

async function verify(token: string, options: JwksVerifierOptions): Promise<VerifiedToken | Refusal> {
  const { rules, clock } = options;
  try {
    const { payload, protectedHeader } = await jwtVerify(token, options.key, {
      issuer: rules.issuer,
      algorithms: [...options.algorithms],
      clockTolerance: options.skewSeconds,
      currentDate: new Date(clock.now()),
      requiredClaims: ['iss', 'exp'],
    });
    const kind = kindFault(protectedHeader, payload, options.typ);
    if (kind !== null) return refuse('token_type', 'The access token is not usable here', { detail: kind });
    if (isFromTheFuture(payload.iat, clock.now() / 1000 + options.skewSeconds))
      return refuse('token_not_yet_valid', 'The access token is not valid', {
        detail: 'iat is in the future',
      });
    const verified = verifiedToken(payload, rules, token);
    if (isRefusal(verified) || !options.isRevoked?.(verified.principal)) return verified;
    return refuse('token_revoked', 'The access token is no longer valid');
  } catch (error) {
    return refusalOf(error);
  }
}

/**
 * RFC 9068 section 4 and RFC 8725 section 3.11: an ID token or another JWT of the issuer is no access token. Issuers that do not
 * say so in the header often say it in a claim.
 * @returns what is wrong, or null
 */
function kindFault(
  { typ = 'jwt' }: ProtectedHeaderParameters,
  claims: JWTPayload,
  accepted: readonly string[],
): string | null {
  const named = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : '';
  if (!accepted.includes(named)) return 'typ is not accepted';
  if (!isCalledAccessToken(claims)) return 'a claim names another kind of token';
  return named !== 'at+jwt' && looksLikeAnotherKind(claims) ? 'it has claims of an ID or logout token' : null;
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof IssuerUnavailable) {
    return refuse('issuer_unavailable', 'The token cannot be checked at the moment', {
      detail: error.message,
    });
  }
  if (error instanceof errors.JWTExpired) return refuse('token_expired', 'The access token has expired');
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error);
  const detail = messageOf(error);
  return refuse('token_signature', 'The access token is not valid', { detail });
}

function claimRefusal(error: errors.JWTClaimValidationFailed): Refusal {
  const detail = error.message;
  if (error.claim === 'nbf' && error.reason === 'check_failed') {
    return refuse('token_not_yet_valid', 'The access token is not valid', { detail });
  }
  if (error.claim === 'iss') return refuse('token_issuer', 'The access token is not valid', { detail });
  if (error.claim === 'aud') {
    return refuse('token_audience', 'The access token is not meant for this server', { detail });
  }
  return refuse('token_claims', 'The access token is not usable here', { detail });
}
