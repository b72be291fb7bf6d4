import * as oauth from 'oauth4webapi';
import { type Clock, Secret } from '../../base/index.ts';
import type { UpstreamConnectConfig } from '../../config/index.ts';
import { discoverProvider, type Outbound, OutboundError, oauthRequests } from '../../outbound/index.ts';

const metadataLifeMs = 3_600_000;

/** What a person is connected with. */
export interface UpstreamTokens {
  readonly access: Secret;
  /** Null: a new connection is needed when `access` has expired. */
  readonly refresh: Secret | null;
  /** Epoch ms; null if the provider does not say. */
  readonly expiresAt: number | null;
}

/** `refused`: the provider's word on this person or this code. `unavailable`: everything else. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly failure: 'refused' | 'unavailable';

  /** @param code from a closed list, never what an answer said */
  constructor(failure: 'refused' | 'unavailable', code: string) {
    super(`${failure}: ${code}`);
    this.failure = failure;
  }
}

/** The upstream's own OAuth provider, spoken to as its client. All methods throw ConnectError. */
export interface ConnectProvider {
  /** For people: the host of the page that they are sent to. */
  readonly name: string;
  authorizationUrl(secrets: { readonly state: string; readonly verifier: string }): Promise<URL>;
  /** @param callback the URL that the browser came back on: attacker-controlled */
  redeem(
    callback: URL,
    secrets: { readonly state: string; readonly verifier: string },
  ): Promise<UpstreamTokens>;
  refresh(token: Secret): Promise<UpstreamTokens>;
  /** RFC 7009. False: the provider offers no revocation. */
  revoke(tokens: UpstreamTokens): Promise<boolean>;
}

export interface ConnectProviderOptions {
  readonly config: UpstreamConnectConfig;
  readonly redirectUri: string;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

export function createConnectProvider(options: ConnectProviderOptions): ConnectProvider {
  const { config, redirectUri } = options;
  const server = metadataOnce(options);
  const client: oauth.Client = { client_id: config.clientId };
  const authentication = clientAuthentication(config);
  const http = oauthRequests(options.outbound, [config.issuer, config.endpoints?.token ?? null]);
  const resource = config.resource === null ? {} : { resource: config.resource };
  return {
    name: new URL(config.endpoints?.authorization ?? config.issuer ?? '').host,
    authorizationUrl: ({ state, verifier }) =>
      guarded(async () => {
        const as = await server();
        const url = new URL(as.authorization_endpoint ?? '');
        const parameters = {
          response_type: 'code',
          client_id: config.clientId,
          redirect_uri: redirectUri,
          state,
          code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          ...(config.scopes.length > 0 && { scope: config.scopes.join(' ') }),
          ...resource,
        };
        for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
        return url;
      }),
    redeem: (callback, { state, verifier }) =>
      guarded(async () => {
        const as = await server();
        const given = new URLSearchParams(callback.search);
        // Without a configured issuer there is nothing to compare it with; the callback's path tells providers apart.
        if (config.issuer === null) given.delete('iss');
        const code = oauth.validateAuthResponse(as, client, given, state);
        const more = { ...http, additionalParameters: resource };
        const answer = await oauth.authorizationCodeGrantRequest(
          ...([as, client, authentication, code, redirectUri, verifier, more] as const),
        );
        // An ID token that comes along says nothing that is used here.
        return tokensOf(await oauth.processAuthorizationCodeResponse(as, client, answer), options.clock);
      }),
    refresh: (token) =>
      guarded(async () => {
        const as = await server();
        const more = { ...http, additionalParameters: resource };
        const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, token.reveal(), more);
        const tokens = tokensOf(await oauth.processRefreshTokenResponse(as, client, answer), options.clock);
        return { ...tokens, refresh: tokens.refresh ?? token };
      }),
    revoke: ({ access, refresh }) =>
      guarded(async () => {
        const as = await server();
        if (as.revocation_endpoint === undefined) return false;
        // The refresh token first: what a half-done revocation leaves behind must not make new ones.
        for (const [token, hint] of [
          [refresh, 'refresh_token'],
          [access, 'access_token'],
        ] as const) {
          if (token === null) continue;
          const more = { ...http, additionalParameters: { token_type_hint: hint } };
          const answer = await oauth.revocationRequest(as, client, authentication, token.reveal(), more);
          await oauth.processRevocationResponse(answer);
        }
        return true;
      }),
  };
}

/** In the header unless the provider says that it reads the body alone. */
function clientAuthentication({ clientSecret }: UpstreamConnectConfig): oauth.ClientAuth {
  if (clientSecret === null) return oauth.None();
  const basic = oauth.ClientSecretBasic(clientSecret.reveal());
  const post = oauth.ClientSecretPost(clientSecret.reveal());
  return (as, ...rest) => {
    const methods = as.token_endpoint_auth_methods_supported;
    const inBody = methods?.includes('client_secret_post') && !methods.includes('client_secret_basic');
    return (inBody ? post : basic)(as, ...rest);
  };
}

/** The provider's metadata, kept for an hour; a failure is not kept. */
function metadataOnce({ config, outbound, clock }: ConnectProviderOptions) {
  let found: { readonly as: oauth.AuthorizationServer; readonly at: number } | null = null;
  return async (): Promise<oauth.AuthorizationServer> => {
    const { endpoints, issuer } = config;
    if (endpoints !== null) {
      return {
        issuer: issuer ?? new URL(endpoints.token).origin,
        authorization_endpoint: endpoints.authorization,
        token_endpoint: endpoints.token,
      };
    }
    if (found !== null && clock.monotonic() - found.at < metadataLifeMs) return found.as;
    const requests = oauthRequests(outbound, [issuer]);
    const needed = ['authorization_endpoint', 'token_endpoint'] as const;
    const as = await discoverProvider(new URL(issuer ?? ''), requests, needed);
    found = { as, at: clock.monotonic() };
    return as;
  };
}

function tokensOf(answer: oauth.TokenEndpointResponse, clock: Clock): UpstreamTokens {
  const { access_token: access, refresh_token: refresh, expires_in: seconds, token_type: type } = answer;
  // What goes into a header must be able to stand there (RFC 6750 section 2.1).
  if (type !== 'bearer' || !/^[\x21-\x7e]{1,16384}$/.test(access)) {
    throw new ConnectError('unavailable', 'unusable token');
  }
  return {
    access: new Secret(access),
    refresh: refresh === undefined ? null : new Secret(refresh),
    expiresAt: seconds === undefined ? null : clock.now() + seconds * 1000,
  };
}

/** Answers that speak of the person or the code (RFC 6749 sections 4.1.2.1 and 5.2). */
const refusals = new Set(['invalid_grant', 'access_denied', 'consent_required', 'login_required']);

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    if (error instanceof OutboundError && error.message === 'unusable metadata') {
      throw new ConnectError('unavailable', error.message);
    }
    if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
      const isRefusal = refusals.has(error.error);
      throw new ConnectError(
        isRefusal ? 'refused' : 'unavailable',
        isRefusal ? error.error : 'provider error',
      );
    }
    const isOurs = error instanceof oauth.OperationProcessingError;
    throw new ConnectError('unavailable', (isOurs && error.code) || 'unreachable');
  }
}
