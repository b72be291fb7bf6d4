import type { IncomingMessage } from 'node:http';
import Provider from 'oidc-provider';
import { type AuditEvent, createBoundedEvents } from '../audit/index.ts';
import { timestamp } from '../base/index.ts';
import { addressGroup } from '../limits/index.ts';
import type { AuthorizationServerOptions } from './options.ts';
import { displayText } from './pages/text.ts';
import { noteRecorded } from './recorded-exchange.ts';

export type AuthorizationEvent =
  | StrangersEvent
  | 'client.removed'
  | 'signin.succeeded'
  | 'signin.ended'
  | 'signin.withdrawn'
  | 'user.added'
  | 'user.changed'
  | 'passkey.added'
  | 'passkey.removed'
  | 'consent.shown'
  | 'consent.granted'
  | 'consent.denied'
  | 'code.issued'
  | 'token.issued'
  | 'token.refreshed'
  | 'token.revoked'
  | 'grant.revoked'
  | 'token.exchanged'
  | 'connection.added'
  | 'connection.failed'
  | 'connection.ended'
  | 'connection.revoked'
  | 'connection.unrevoked'
  | 'refresh.reused'
  | 'setup.completed'
  | 'keys.created'
  | 'keys.rotated';

/** What anybody can cause without being anybody: recorded within bounds. */
const strangersEvents = [
  'client.registered',
  'client.refused',
  'signin.failed',
  'setup.refused',
  'authorization.refused',
  'code.reused',
  'token.refused',
  'revocation.refused',
  'introspection.refused',
  'pushed_request.refused',
  'http.refused',
] as const;
type StrangersEvent = (typeof strangersEvents)[number];

export type Audit = (event: AuthorizationEvent, fields?: Omit<AuditEvent, 'timestamp' | 'event'>) => void;

export interface OpenAudit {
  readonly audit: Audit;
  close(): void;
}

export function createAudit({ audit: record, clock }: AuthorizationServerOptions): OpenAudit {
  const sourceOf = (address: string | null) => addressGroup(address ?? undefined);
  const bounded = createBoundedEvents({ record, clock, sourceOf });
  const isStrangers = (event: string) => strangersEvents.some((one) => one === event);
  return {
    audit(event, fields = {}) {
      noteRecorded();
      const entry = { timestamp: timestamp(clock.now()), event, ...fields };
      if (isStrangers(event)) bounded.event(entry);
      else record(entry);
    },
    close: bounded.close,
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
  provider.on('authorization_code.saved', (code) => {
    audit('code.issued', {
      client_id: code.clientId ?? null,
      subject: code.accountId ?? null,
      address: currentAddress(addresses),
      data: {
        grant_id: code.grantId ?? null,
        resource: [code.resource ?? []].flat().join(' '),
        scopes: code.scope ?? '',
      },
    });
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
