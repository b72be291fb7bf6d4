import type { Outbound } from '../outbound/index.ts';

const document = { trust: 'configured', timeoutMs: 5000, maxBytes: 256 * 1024 } as const;

/**
 * RFC 8414 section 3.1 and OpenID Connect Discovery, in the order of MCP; `issuer` must be the same string.
 *
 * @param wanted the member that is needed, a URL
 * @throws when no document has it
 */
export async function discoverIssuer(
  issuer: string,
  wanted: 'jwks_uri' | 'introspection_endpoint',
  outbound: Outbound,
): Promise<Readonly<Record<string, unknown>> & Readonly<Record<typeof wanted, string>>> {
  const url = new URL(issuer);
  const path = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
  const forms = [
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
    `${url.origin}/.well-known/openid-configuration${path}`,
    `${url.origin}${path}/.well-known/openid-configuration`,
  ];
  let last: unknown = null;
  for (const form of forms) {
    try {
      const found = (await outbound.fetchJson({ url: form, ...document })) as Record<string, unknown>;
      if (found['issuer'] === issuer && typeof found[wanted] === 'string')
        return found as Record<string, unknown> & Record<typeof wanted, string>;
      last = new Error(`${form} names another issuer or no ${wanted}`);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
