import { type Refusal, refuse } from '../base/index.ts';

/** Longer than any access token in use, shorter than what would cost us to hash. */
export const maxTokenLength = 8192;

/** RFC 6750 section 2.1 (`b64token`); RFC 9449 section 7.1 says the same of DPoP. */
const credentials = /^(bearer|dpop) ([A-Za-z0-9\-._~+/]+=*)$/i;

export interface Credentials {
  readonly scheme: 'bearer' | 'dpop';
  readonly token: string;
}

/**
 * Takes the access token from the Authorization header (RFC 6750 section 2.1), the only place that MCP allows.
 *
 * @param authorization the header's value; attacker-controlled
 * @param search the URL's query with its `?`, or empty; attacker-controlled
 */
export function readCredentials(authorization: string | undefined, search: string): Credentials | Refusal {
  if (search.length > 1 && new URLSearchParams(search).has('access_token')) {
    return refuse('token_malformed', 'A token in the URL is not accepted: use the Authorization header');
  }
  if (authorization === undefined) return refuse('token_missing', 'Authorization is required');
  const found = authorization.length <= maxTokenLength + 7 ? credentials.exec(authorization) : null;
  const [, scheme = '', token = ''] = found ?? [];
  if (found === null)
    return refuse('token_malformed', 'The Authorization header holds no access token that is accepted here');
  return { scheme: scheme.toLowerCase() as Credentials['scheme'], token };
}
