import { type Refusal, refuse } from '../base/index.ts';

/** Longer than any access token in use, shorter than what would cost us to hash. */
const maxTokenLength = 8192;

/** RFC 6750 section 2.1: `b64token`. */
const credentials = /^bearer ([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * Takes the access token from the Authorization header (RFC 6750 section 2.1), the only place that MCP allows.
 *
 * @param authorization the header's value; attacker-controlled
 * @param search the URL's query with its `?`, or empty; attacker-controlled
 */
export function bearerToken(authorization: string | undefined, search: string): string | Refusal {
  if (search.length > 1 && new URLSearchParams(search).has('access_token')) {
    return refuse('token_malformed', 'A token in the URL is not accepted: use the Authorization header');
  }
  if (authorization === undefined) return refuse('token_missing', 'Authorization is required');
  const token = authorization.length <= maxTokenLength + 7 ? credentials.exec(authorization)?.[1] : undefined;
  return token ?? refuse('token_malformed', 'The Authorization header holds no bearer token');
}
