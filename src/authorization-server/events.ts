import type { IncomingMessage } from 'node:http';
import Provider from 'oidc-provider';
import type { AuditEvent } from '../audit/index.ts';
import { timestamp } from '../base/index.ts';
import type { AuthorizationServerOptions } from './options.ts';
import { displayText } from './pages/text.ts';

export type AuthorizationEvent =
  | 'client.registered'
  | 'client.refused'
  | 'client.removed'
  | 'signin.succeeded'
  | 'signin.failed'
  | 'signin.withdrawn'
  | 'passkey.added'
  | 'passkey.removed'
  | 'consent.granted'
  | 'consent.denied'
  | 'token.issued'
  | 'token.refreshed'
  | 'token.revoked'
  | 'grant.revoked'
  | 'token.exchanged'
  | 'connection.added'
  | 'connection.ended'
  | 'connection.revoked'
  | 'connection.unrevoked'
  | 'refresh.reused'
  | 'setup.completed'
  | 'keys.rotated';

export type Audit = (event: AuthorizationEvent, fields?: Omit<AuditEvent, 'timestamp' | 'event'>) => void;

export function createAudit(options: AuthorizationServerOptions): Audit {
  return (event, fields = {}) => {
    options.audit({ timestamp: timestamp(options.clock.now()), event, ...fields });
  };
}

/** Addresses of the requests that oidc-provider is working on. */
export type Addresses = WeakMap<IncomingMessage, string>;

/** Address behind the request that is being answered now, wherever in oidc-provider we are. */
export function currentAddress(addresses: Addresses): string | null {
  const req = Provider.ctx?.req;
  return (req && addresses.get(req)) ?? null;
}

/** Writes what oidc-provider reports. Tokens appear by their `jti` alone. */
export function auditProvider(provider: Provider, audit: Audit, addresses: Addresses): void {
  provider.on('registration_create.success', (_ctx, client) => {
    audit('client.registered', {
      client_id: client.clientId,
      address: currentAddress(addresses),
      data: {
        name: displayText(client.clientName ?? ''),
        redirect_uris: displayText((client.redirectUris ?? []).join(' '), 500),
      },
    });
  });
  provider.on('registration_create.error', (_ctx, error) => {
    audit('client.refused', { address: currentAddress(addresses), data: { reason: error.error } });
  });
  provider.on('access_token.issued', (token) => {
    audit(token.gty?.includes('refresh_token') ? 'token.refreshed' : 'token.issued', {
      client_id: token.clientId ?? null,
      subject: token.accountId,
      address: currentAddress(addresses),
      data: {
        jti: token.jti,
        grant_id: token.grantId ?? null,
        resource: String(token.aud),
        scopes: token.scope ?? '',
      },
    });
  });
}
