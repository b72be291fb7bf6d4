import { claimOf } from './jwt.ts';

type Claims = Readonly<Record<string, unknown>>;

/** Where issuers say what kind of token it is: RFC 7662, Cognito, Keycloak. */
const kinds = ['token_type', 'token_use', 'typ'] as const;

/** What they call an access token there: they are as glad to speak of refresh and ID tokens. */
const accessTokens: ReadonlySet<unknown> = new Set([
  ...['bearer', 'dpop', 'access', 'access_token', 'at+jwt', 'jwt', 'n_a'],
  'urn:ietf:params:oauth:token-type:access_token',
]);

/** Whether no claim names another kind of token. */
export function isCalledAccessToken(claims: Claims): boolean {
  return kinds.every((name) => {
    const kind = claimOf(claims, name);
    return kind === undefined || (typeof kind === 'string' && accessTokens.has(kind.toLowerCase()));
  });
}

/** Claims of ID tokens (OpenID Connect Core sections 2 and 3.3.2.11) and of logout tokens (Back-Channel Logout section 2.4). */
const foreign = ['at_hash', 'c_hash', 'nonce', 'events'] as const;

/**
 * Whether a JWT whose header does not say `at+jwt` has the marks of an ID or logout token. Its signature is as good, and with
 * `clientIds` instead of an audience nothing else would tell it from an access token (RFC 8725 section 3.12).
 */
export function looksLikeAnotherKind(claims: Claims): boolean {
  if (kinds.some((name) => claimOf(claims, name) !== undefined)) return false; // it says what it is
  return foreign.some((name) => claimOf(claims, name) !== undefined);
}
