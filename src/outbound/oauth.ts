import * as oauth from 'oauth4webapi';
import { OutboundError } from './error.ts';
import type { Outbound } from './fetch.ts';

const timeoutMs = 5_000;
const maxBytes = 256 * 1024;

/**
 * How `oauth4webapi` asks an authorization server that the operator named. What that server names itself, on another origin, is
 * fetched like anybody's URL: by https and at public addresses alone. A provider must not send our credentials, or a request
 * made by it, to a machine of the operator's own network.
 *
 * @param named URLs that the operator wrote: the issuer, or endpoints
 */
export function oauthRequests(outbound: Outbound, named: readonly (string | null)[]) {
  const origins = new Set(named.flatMap((url) => (url === null ? [] : [new URL(url).origin])));
  return {
    // The configuration accepts http on this machine alone.
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (
      url: string,
      { method, headers, body }: oauth.CustomFetchOptions<string, unknown>,
    ): Promise<Response> =>
      outbound.exchange({
        url,
        trust: origins.has(new URL(url).origin) ? 'configured' : 'anyone',
        timeoutMs,
        maxBytes,
        method,
        headers,
        ...(body !== undefined && body !== null && { body: String(body) }),
      }),
  };
}

export type OauthRequests = ReturnType<typeof oauthRequests>;

/**
 * RFC 8414, else OpenID Connect Discovery. Either must name exactly the issuer that was asked.
 *
 * @param needed endpoints without which it is of no use
 * @throws OutboundError when one of them is missing, or of another scheme than the issuer's https
 */
export async function discoverProvider(
  issuer: URL,
  requests: OauthRequests,
  needed: readonly ('authorization_endpoint' | 'token_endpoint')[],
): Promise<oauth.AuthorizationServer> {
  const ask = async (algorithm: 'oauth2' | 'oidc') => {
    const answer = await oauth.discoveryRequest(issuer, { ...requests, algorithm });
    return oauth.processDiscoveryResponse(issuer, answer);
  };
  const as = await ask('oauth2').catch(() => ask('oidc'));
  for (const name of needed) {
    const protocol = URL.parse(as[name] ?? '')?.protocol;
    // A provider on https does not send people, codes or secrets on in the clear, or to a script.
    const isFine = protocol === 'https:' || (protocol === 'http:' && issuer.protocol === 'http:');
    if (!isFine) throw new OutboundError('unusable metadata');
  }
  return as;
}
