import { errors, type JWTVerifyGetKey, jwtVerify, type ProtectedHeaderParameters } from 'jose';
import { type Clock, isRefusal, messageOf, type Refusal, refuse } from '../../base/index.ts';
import { type ClaimRules, verifiedToken } from '../claims.ts';
import type { Principal } from '../principal.ts';
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
    if (!isExpectedType(protectedHeader, options.typ)) {
      return refuse('token_type', 'The access token is not usable here', { detail: 'typ is not accepted' });
    }
    const verified = verifiedToken(payload, rules, token);
    if (isRefusal(verified) || !options.isRevoked?.(verified.principal)) return verified;
    return refuse('token_revoked', 'The access token is no longer valid');
  } catch (error) {
    return refusalOf(error);
  }
}

/** RFC 9068 section 4 and RFC 8725 section 3.11: an ID token or another JWT of the issuer is no access token. */
function isExpectedType(header: ProtectedHeaderParameters, accepted: readonly string[]): boolean {
  const typ = typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : 'jwt';
  return accepted.includes(typ);
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
