import type { EventEmitter } from 'node:events';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Addresses, Audit } from './events.ts';

/** What the endpoints refused, by the names of oidc-provider's events. */
const refusals = {
  'grant.error': 'token.refused',
  'revocation.error': 'revocation.refused',
  'introspection.error': 'introspection.refused',
  'pushed_authorization_request.error': 'pushed_request.refused',
  'authorization.error': 'authorization.refused',
} as const;

/**
 * The client is the one that was named, and that there is: of `invalid_client` it has not proved to be that client. Nothing of the
 * request itself is recorded but its grant type, if that is a known one: parameters are secrets, or may be.
 */
export function auditRefusals(
  provider: Provider,
  audit: Audit,
  { addresses, grantTypes }: { readonly addresses: Addresses; readonly grantTypes: ReadonlySet<string> },
): void {
  for (const [name, event] of Object.entries(refusals)) {
    (provider as EventEmitter).on(name, (ctx: KoaContextWithOIDC, error: ProviderRefusal) => {
      const { client, params } = ctx.oidc;
      // A person's own decision has an event of its own; a JWT at /revoke is answered by us: see tokens.ts.
      if (error.error === 'access_denied' || error.error === 'unsupported_token_type') return;
      const grant = params?.['grant_type'];
      audit(event, {
        client_id: client?.clientId ?? null,
        address: addresses.get(ctx.req) ?? null,
        data: {
          reason: error.error ?? 'server_error',
          detail: error.error_detail ?? error.error_description ?? null,
          ...(event === 'token.refused' && {
            grant: typeof grant === 'string' && grantTypes.has(grant) ? grant : null,
          }),
        },
      });
    });
  }
}

interface ProviderRefusal {
  readonly error?: string;
  readonly error_detail?: string;
  readonly error_description?: string;
}
