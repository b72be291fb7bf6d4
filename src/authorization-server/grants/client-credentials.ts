import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { ConfiguredClients } from '../clients/index.ts';
import { grantedScopes } from './scopes.ts';

/**
 * Client credentials (RFC 6749 section 4.4) are oidc-provider's; this is what it leaves to us, called when it asks what
 * the resource allows. For clients of the configuration alone, whatever a client says of itself; a request that names no
 * scope gets the whole ceiling, which an operator wrote for this machine.
 */
export function enterClientCredentials(
  ctx: KoaContextWithOIDC,
  clients: ConfiguredClients,
  allowed: readonly string[],
): void {
  const { client, params } = ctx.oidc;
  if (params?.['grant_type'] !== 'client_credentials') return;
  if (client === undefined || clients.find(client.clientId) === undefined) {
    throw new errors.UnauthorizedClient('the client is not registered for this grant');
  }
  const asked = typeof params['scope'] === 'string' ? params['scope'] : undefined;
  params['scope'] = grantedScopes(asked, [allowed], allowed).join(' ');
}
