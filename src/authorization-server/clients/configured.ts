import { type ClientMetadata, errors } from 'oidc-provider';
import type { RegisteredClientConfig } from '../../config/index.ts';
import type { ProtectedResource } from '../authorization-server.ts';

/** RFC 7523 section 2.1: how an assertion of another issuer becomes a token of ours. */
export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** RFC 8693 section 2.1. */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

const grantTypes = {
  authorization_code: ['authorization_code', 'refresh_token'],
  client_credentials: ['client_credentials'],
  jwt_bearer: [jwtBearerGrant],
  token_exchange: [tokenExchangeGrant],
} as const;

/** Clients that the operator registered in the configuration, and how far each may go. */
export interface ConfiguredClients {
  find(clientId: string): RegisteredClientConfig | undefined;
  /** Whether any of them has the grant. */
  use(grant: RegisteredClientConfig['grants'][number]): boolean;
  /** As oidc-provider takes clients that nobody can change. */
  metadata(): ClientMetadata[];
  /**
   * Scopes that a token for this client and resource may hold at most: those given, and for a client of the
   * configuration those of its ceiling. Throws InvalidTarget for a server that is not among its own.
   */
  narrow(clientId: string, resource: string, scopes: readonly string[]): readonly string[];
}

export function createConfiguredClients(
  clients: readonly RegisteredClientConfig[],
  resources: readonly ProtectedResource[],
): ConfiguredClients {
  const byId = new Map(clients.map((client) => [client.id, client]));
  const names = new Map(resources.map(({ resource, name }) => [resource, name]));
  return {
    find: (clientId) => byId.get(clientId),
    use: (grant) => clients.some(({ grants }) => grants.includes(grant)),
    metadata: () => clients.map(metadataOf),
    narrow(clientId, resource, scopes) {
      const client = byId.get(clientId);
      if (client === undefined) return scopes;
      if (client.servers !== null && !client.servers.includes(names.get(resource) ?? '')) {
        throw new errors.InvalidTarget('the resource is not one of this client');
      }
      return scopes.filter((scope) => client.scopes.includes(scope));
    },
  };
}

/** Grant types that some client of the configuration may use, beyond what everybody may. */
export function grantsSupported(clients: ConfiguredClients): string[] {
  const machineGrants = ['client_credentials', 'jwt_bearer', 'token_exchange'] as const;
  return machineGrants.filter((grant) => clients.use(grant)).flatMap((grant) => [...grantTypes[grant]]);
}

function metadataOf(client: RegisteredClientConfig): ClientMetadata {
  const withCode = client.grants.includes('authorization_code');
  return {
    client_id: client.id,
    client_name: client.name,
    grant_types: client.grants.flatMap((grant) => [...grantTypes[grant]]),
    response_types: withCode ? ['code'] : [],
    redirect_uris: [...client.redirectUris],
    application_type: 'native',
    ...authentication(client),
  };
}

function authentication({ secret, jwks, jwksUri }: RegisteredClientConfig): Partial<ClientMetadata> {
  if (jwks !== null) {
    const keys = structuredClone(jwks) as unknown as NonNullable<ClientMetadata['jwks']>['keys'];
    return { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } };
  }
  if (jwksUri !== null) return { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: jwksUri };
  if (secret !== null) {
    // Stands for the header and for the form alike.
    return { token_endpoint_auth_method: 'client_secret_basic', client_secret: secret.reveal() };
  }
  return { token_endpoint_auth_method: 'none' };
}

/** Key sets that the operator named may lie on a private address; all others are fetched as before. */
export function fetchingKeySets(
  clients: readonly RegisteredClientConfig[],
  { configured, others }: { configured: typeof fetch; others: typeof fetch },
): typeof fetch {
  const own = new Set(clients.flatMap(({ jwksUri }) => (jwksUri === null ? [] : [new URL(jwksUri).href])));
  return (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    return own.has(url) ? configured(input, init) : others(input, init);
  };
}
