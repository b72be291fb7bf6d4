import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC, ResourceServer } from 'oidc-provider';
import type { Clock, Log } from '../../base/index.ts';
import type { EnterpriseIssuerConfig } from '../../config/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import type { AccountStore } from '../accounts/index.ts';
import type { ProtectedResource } from '../authorization-server.ts';
import type { ConfiguredClients } from '../clients/index.ts';
import { jwtBearerGrant, tokenExchangeGrant } from '../clients/index.ts';
import { type Addresses, type Audit, currentAddress } from '../events.ts';
import type { TokenParts } from '../tokens.ts';
import { createAssertionGrant } from './assertion.ts';
import type { EnterpriseAccounts } from './enterprise-accounts.ts';
import { createTokenExchange } from './exchange.ts';

/** What the grants without a person need. */
export interface GrantParts {
  readonly issuer: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly outbound: Outbound;
  readonly clients: ConfiguredClients;
  readonly enterprise: readonly EnterpriseIssuerConfig[];
  readonly accounts: AccountStore;
  readonly enterpriseAccounts: EnterpriseAccounts;
  readonly resources: readonly ProtectedResource[];
  readonly baseline: readonly string[];
  readonly scopesForRole: { readonly admin: readonly string[]; readonly user: readonly string[] };
  readonly audit: Audit;
  readonly addresses: Addresses;
  /** What verifies our own tokens. */
  readonly tokens: TokenParts;
  /** What a token for this resource looks like, narrowed to the client that asks. Throws InvalidTarget. */
  readonly resourceServer: (
    ctx: KoaContextWithOIDC,
    resource: string,
  ) => ResourceServer | Promise<ResourceServer>;
}

/** Assertion grants and token exchange. Client credentials are oidc-provider's own: see client-credentials.ts. */
export function registerGrants(provider: Provider, parts: GrantParts): void {
  if (parts.clients.use('token_exchange')) {
    const exchange = createTokenExchange(provider, parts);
    provider.registerGrantType(tokenExchangeGrant, exchange.handle, exchange.parameters, exchange.repeatable);
  }
  if (parts.clients.use('jwt_bearer')) {
    const assertion = createAssertionGrant(provider, parts);
    provider.registerGrantType(jwtBearerGrant, assertion.handle, assertion.parameters);
  }
  auditMachines(provider, parts);
}

function auditMachines(provider: Provider, { audit, addresses }: GrantParts): void {
  provider.on('client_credentials.issued', (token) => {
    audit('token.issued', {
      client_id: token.clientId ?? null,
      subject: token.clientId ?? null,
      address: currentAddress(addresses),
      data: {
        jti: token.jti,
        grant: 'client_credentials',
        resource: String(token.aud),
        scopes: token.scope ?? '',
      },
    });
  });
}
