import type { EventEmitter } from 'node:events';
import Provider, { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { type AccountStore, defaultOrganization } from './accounts/index.ts';
import {
  acceptAssertionAudiences,
  applyClientRules,
  type ConfiguredClients,
  compareHashedSecrets,
  createAssertionRules,
  createFetchPolicy,
  isTrustedHost,
  registeredClientId,
  rememberingFetch,
  withoutRedirects,
} from './clients/index.ts';
import { cookieSettings } from './cookies.ts';
import { applyDpopRule, dpopAlgorithms, dpopFeature } from './dpop.ts';
import type { GrantStore } from './granted-access.ts';
import { claimsOfGrant, enterClientCredentials, type GrantParts } from './grants/index.ts';
import type { LivingAccount } from './identity-provider/index.ts';
import { createInteractionPolicy } from './interaction-policy.ts';
import type { Keys } from './keys.ts';
import { clientAuthAlgorithms, clientAuthMethods, endpoints } from './metadata.ts';
import {
  type AuthorizationServerOptions,
  grantClaim,
  grantDays,
  interactionSeconds,
  issuerPath,
  organizationClaim,
  sessionHours,
} from './options.ts';
import { endErrorPage } from './pages/index.ts';
import { rememberConsent } from './remembered-consent.ts';
import { offlineAccess } from './scopes.ts';
import { refuseOnceForStepUp, type StepUps } from './step-up.ts';
import type { createAdapterFactory } from './stores/adapter.ts';

export interface ProviderParts {
  readonly options: AuthorizationServerOptions;
  readonly accounts: AccountStore;
  readonly keys: Keys;
  readonly adapter: ReturnType<typeof createAdapterFactory>;
  readonly stepUps: StepUps;
  readonly livingAccount: LivingAccount;
  readonly grants: GrantStore;
  /** Those of the configuration. */
  readonly clients: ConfiguredClients;
  /** For what clients publish: their URLs are attacker-controlled. */
  readonly fetchDocument: typeof fetch;
}

type Features = NonNullable<Configuration['features']>;
type ResourceIndicators = NonNullable<Features['resourceIndicators']>;

const daySeconds = 24 * 3600;

/** oidc-provider, reduced to authorization code with PKCE and refresh tokens. Stateless: everything is in the store. */
export function createProvider(parts: ProviderParts): Provider {
  const { options } = parts;
  const provider = new Provider(options.publicUrl + issuerPath, configuration(parts));
  // Believed only because the inner request carries our own headers: see inner-request.ts.
  provider.proxy = true;
  compareHashedSecrets(provider);
  acceptAssertionAudiences(provider);
  // oidc-provider's types leave out Koa's own event, without which Koa prints to the console.
  (provider as EventEmitter).on('error', (error: Error) =>
    options.log.error({ error: error.message }, 'authorization server'),
  );
  provider.on('server_error', (_ctx, error: Error) => {
    options.log.error({ error: error.message }, 'authorization server');
  });
  return provider;
}

function configuration(parts: ProviderParts): Configuration {
  const { options, accounts, keys } = parts;
  const { config } = options;
  return {
    adapter: parts.adapter,
    clients: parts.clients.metadata(),
    jwks: keys.privateKeys() as NonNullable<Configuration['jwks']>,
    cookies: { ...cookieSettings(options.publicUrl), keys: keys.cookieKeys() },
    routes: endpoints,
    scopes: [offlineAccess],
    responseTypes: ['code'],
    clientAuthMethods: [...clientAuthMethods],
    enabledJWA: {
      clientAuthSigningAlgValues: [...clientAuthAlgorithms],
      dPoPSigningAlgValues: [...dpopAlgorithms],
    },
    assertJwtClientAuthClaimsAndHeader: createAssertionRules(options.clock),
    clientDefaults: {
      // Without it a loopback redirect must match to the port, and MCP's own example document has no application_type.
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      id_token_signed_response_alg: 'ES256',
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    // The validator is called for each listed member: one is enough, and `scope` is always recognised.
    extraClientMetadata: {
      properties: ['scope'],
      validator: (_ctx, _key, _value, metadata) => {
        // The operator's own are checked when the configuration is read, and cannot be changed by anybody.
        if (!parts.clients.find(metadata.client_id)) {
          applyClientRules(metadata, config.clients.redirectSchemes);
        }
        applyDpopRule(metadata, config.dpop);
      },
    },
    pkce: { required: () => true },
    features: features(parts),
    extraTokenClaims: (_ctx, token) => ({
      [organizationClaim]: organizationOf(accounts, token),
      [grantClaim]: 'grantId' in token ? token.grantId : undefined,
      ...claimsOfGrant(token, parts.clients),
    }),
    async findAccount(_ctx, id) {
      const account = await parts.livingAccount(id);
      return account && { accountId: account.id, claims: () => ({ sub: account.id }) };
    },
    interactions: {
      policy: createInteractionPolicy(),
      url: (_ctx, interaction) => `${options.publicUrl}${issuerPath}/interaction/${interaction.uid}`,
    },
    // Clients of 2025 ask neither for offline_access nor for prompt=consent, and need refresh tokens all the same.
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    loadExistingGrant: rememberConsent(parts.grants),
    rotateRefreshToken: refuseOnceForStepUp(parts.stepUps),
    ttl: {
      AccessToken: config.accessTokenMinutes * 60,
      AuthorizationCode: 60,
      ClientCredentials: config.accessTokenMinutes * 60,
      Grant: grantDays * daySeconds,
      IdToken: 60,
      Interaction: interactionSeconds,
      RefreshToken: config.refreshTokenDays * daySeconds,
      Session: sessionHours * 3600,
    },
    clientBasedCORS: () => false,
    fetch: withoutRedirects(rememberingFetch(parts.fetchDocument, options.clock)) as NonNullable<
      Configuration['fetch']
    >,
    fetchResponseBodyLimits: { jwks_uri: 64 * 1024, sector_identifier_uri: 1 },
    renderError(ctx, out, error) {
      options.log.info({ error: out.error, detail: detailOf(error) }, 'authorization request refused');
      ctx.respond = false;
      endErrorPage(ctx.res, ctx.status, out.error_description ?? out.error);
    },
  };
}

/** Of the person; machines have none of their own. */
function organizationOf(accounts: AccountStore, token: object): string {
  const id = 'accountId' in token ? token.accountId : undefined;
  const account = typeof id === 'string' ? accounts.byId(id) : undefined;
  return account?.organization ?? defaultOrganization;
}

function features(parts: ProviderParts): Features {
  const { clients } = parts.options.config;
  const own = (_ctx: unknown, client: { clientId: string }, token: { clientId?: string | undefined }) =>
    token.clientId === client.clientId;
  return {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: parts.clients.use('client_credentials') },
    userinfo: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    claimsParameter: { enabled: false },
    // What is pushed goes through the rules of request-parameters.ts first: see routes.ts.
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false },
    // Would carry parameters past them.
    requestObjects: { enabled: false },
    dPoP: dpopFeature(parts.options.config.dpop, parts.keys),
    registration: {
      enabled: clients.dynamicRegistration !== null,
      initialAccessToken: false,
      issueRegistrationAccessToken: false,
      idFactory: (ctx) =>
        registeredClientId(ctx.oidc.body ?? {}, {
          key: parts.keys.formKey(),
          now: parts.options.clock.now(),
        }),
    },
    revocation: { enabled: true, allowedPolicy: own },
    introspection: { enabled: true, allowedPolicy: own },
    clientIdMetadataDocument: {
      enabled: clients.metadataDocuments !== false,
      ack: 'draft-02',
      allowFetch: fetchPolicy(parts),
      allowClient: (_ctx, client) =>
        isTrustedHost(new URL(client.clientId).hostname, clients.metadataDocuments),
      cacheDuration: { min: 300, max: 3600 },
    },
    resourceIndicators: resourceIndicators(parts),
  };
}

function fetchPolicy({ options }: ProviderParts): (ctx: KoaContextWithOIDC, clientId: string) => boolean {
  const isAllowed = createFetchPolicy(options.clock);
  const { metadataDocuments } = options.config.clients;
  return (_ctx, clientId) =>
    isTrustedHost(new URL(clientId).hostname, metadataDocuments) && isAllowed(clientId);
}

/** RFC 8707: which resource a token is for, and which of its scopes the account may hold. */
function resourceIndicators({ options, accounts, keys, clients }: ProviderParts): ResourceIndicators {
  const names = new Set(options.resources.map(({ resource }) => resource));
  const every = options.scopes.map(({ scope }) => scope);
  const ceiling = (ctx: KoaContextWithOIDC): readonly string[] => {
    const id = ctx.oidc.account?.accountId ?? ctx.oidc.session?.accountId;
    // Nobody has signed in yet: the ceiling is looked at again when somebody has.
    if (id === undefined) return every;
    const account = accounts.byId(id);
    return account === undefined ? [] : options.scopesForRole[account.role];
  };
  return {
    enabled: true,
    useGrantedResource: () => true,
    defaultResource() {
      const [only, another] = options.resources;
      if (only !== undefined && another === undefined) return only.resource;
      throw new errors.InvalidTarget('name one MCP server with the resource parameter (RFC 8707)');
    },
    getResourceServerInfo(ctx, resource, client) {
      if (!names.has(resource)) throw new errors.InvalidTarget('the resource is not served here');
      const allowed = clients.narrow(client.clientId, resource, ceiling(ctx));
      enterClientCredentials(ctx, clients, allowed);
      return {
        scope: allowed.join(' '),
        audience: resource,
        accessTokenTTL: options.config.accessTokenMinutes * 60,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256', kid: keys.currentKid } },
      };
    },
  };
}

/** The same for grants of ours. */
export function resourceServerInfo(parts: ProviderParts): GrantParts['resourceServer'] {
  const { getResourceServerInfo } = resourceIndicators(parts);
  return (ctx, resource) => {
    if (getResourceServerInfo === undefined || ctx.oidc.client === undefined)
      throw new errors.InvalidTarget();
    return getResourceServerInfo(ctx, resource, ctx.oidc.client);
  };
}

function detailOf(error: Error): string | undefined {
  return error instanceof errors.OIDCProviderError ? error.error_detail : error.message;
}
