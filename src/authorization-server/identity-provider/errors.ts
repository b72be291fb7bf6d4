import * as oidc from 'openid-client';

/**
 * `refused`: by the provider or by our rules, for this person. `invalid`: the answer does not hold. `unavailable`: no
 * usable answer, for whatever reason.
 */
export type ProviderFailure = 'refused' | 'invalid' | 'unavailable';

/** Why a sign-in at the provider came to nothing. `code` is from closed lists, never what an answer said. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly failure: ProviderFailure;
  readonly code: string;

  constructor(failure: ProviderFailure, code: string) {
    super(`identity provider: ${failure} (${code})`);
    this.failure = failure;
    this.code = code;
  }

  /** @param error from openid-client, with text of the answer in it */
  static from(error: unknown): ProviderError {
    if (error instanceof oidc.AuthorizationResponseError) {
      return new ProviderError('refused', known(error.error));
    }
    if (error instanceof oidc.ResponseBodyError) return new ProviderError('invalid', known(error.error));
    if (isRefusedAccess(error)) return new ProviderError('refused', 'invalid_token');
    const code = error instanceof oidc.ClientError ? (error.code ?? '') : '';
    if (invalidCodes.has(code)) return new ProviderError('invalid', code);
    return new ProviderError('unavailable', code === '' ? 'unreachable' : code);
  }
}

/** Answers that say something about the person and not about us (RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6). */
const withdrawn = new Set([
  'invalid_grant',
  'interaction_required',
  'login_required',
  'consent_required',
  'account_selection_required',
  'access_denied',
  // An access token that was issued just now, refused where the person is described.
  'invalid_token',
]);

const errorCodes = new Set([
  ...withdrawn,
  'invalid_request',
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
]);

/** Of openid-client: the answer came, and a check on it failed. */
const invalidCodes = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
  'OAUTH_MISSING_SERVER_METADATA',
  'OAUTH_INVALID_SERVER_METADATA',
]);

export function meansWithdrawn(code: string): boolean {
  return withdrawn.has(code);
}

export function codeOf(error: unknown): string {
  return error instanceof ProviderError ? error.code : '';
}

function isRefusedAccess(error: unknown): boolean {
  const cause = error instanceof oidc.ClientError ? error.cause : null;
  const status =
    error instanceof oidc.WWWAuthenticateChallengeError
      ? error.status
      : cause instanceof Response
        ? cause.status
        : 0;
  return status === 401 || status === 403;
}

/** @param code of an answer: attacker-controlled */
function known(code: string): string {
  return errorCodes.has(code) ? code : 'other';
}
