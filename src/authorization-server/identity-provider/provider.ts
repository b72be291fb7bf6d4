import * as oidc from 'openid-client';
import { type Clock, Secret } from '../../base/index.ts';
import type { IdentityProviderConfig } from '../../config/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import { type Claims, type ExternalIdentity, identityOf } from './claims.ts';
import { codeOf, meansWithdrawn, ProviderError } from './errors.ts';

const timeoutSeconds = 5;
const maxBytes = 256 * 1024;
const discoveryLifeMs = 3_600_000;

/** What one sign-in is bound to. All three are known to this process alone until they are used. */
export interface SignInSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export interface SignedIn {
  readonly identity: ExternalIdentity;
  readonly refreshToken: Secret | null;
}

/** The provider's word on an account that it once signed in. */
export type Recheck =
  | { readonly state: 'confirmed'; readonly identity: ExternalIdentity | null; readonly refreshToken: Secret }
  | { readonly state: 'withdrawn'; readonly reason: string };

/** An OpenID Connect provider, spoken to as its client. All methods throw ProviderError. */
export interface IdentityProvider {
  readonly config: IdentityProviderConfig;
  authorizationUrl(secrets: SignInSecrets, options: { readonly fresh: boolean }): Promise<URL>;
  /** @param callback the URL that the browser came back on: attacker-controlled */
  redeem(callback: URL, secrets: SignInSecrets): Promise<SignedIn>;
  recheck(subject: string, refreshToken: Secret): Promise<Recheck>;
}

export interface IdentityProviderOptions {
  readonly config: IdentityProviderConfig;
  readonly redirectUri: string;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

export function createIdentityProvider(options: IdentityProviderOptions): IdentityProvider {
  const { config, redirectUri } = options;
  const client = discoverOnce(options);
  return {
    config,
    async authorizationUrl(secrets, { fresh }) {
      const provider = await client();
      return oidc.buildAuthorizationUrl(provider, {
        ...config.authorizationParameters,
        ...(fresh && { prompt: 'login' }),
        redirect_uri: redirectUri,
        scope: scopesFor(provider, config),
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
      });
    },
    async redeem(callback, { state, nonce, verifier }) {
      const provider = await client();
      const answer = await guarded(() =>
        oidc.authorizationCodeGrant(provider, callback, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        }),
      );
      const result = identityOf((answer.claims() ?? {}) as Claims, config);
      if (!result.ok) throw new ProviderError('refused', result.reason);
      return { identity: result.identity, refreshToken: secretOf(answer.refresh_token) };
    },
    recheck: async (subject, refreshToken) => recheck(await client(), config, { subject, refreshToken }),
  };
}

async function recheck(
  provider: oidc.Configuration,
  config: IdentityProviderConfig,
  { subject, refreshToken }: { readonly subject: string; readonly refreshToken: Secret },
): Promise<Recheck> {
  try {
    const answer = await guarded(() => oidc.refreshTokenGrant(provider, refreshToken.reveal()));
    const next = secretOf(answer.refresh_token) ?? refreshToken;
    const claims =
      (answer.claims() as Claims | undefined) ?? (await userInfo(provider, subject, answer.access_token));
    if (claims === null) return { state: 'confirmed', identity: null, refreshToken: next };
    const result = identityOf(claims, config);
    if (!result.ok) return { state: 'withdrawn', reason: result.reason };
    if (result.identity.subject !== subject) return { state: 'withdrawn', reason: 'other_subject' };
    return { state: 'confirmed', identity: result.identity, refreshToken: next };
  } catch (error) {
    const code = codeOf(error);
    if (meansWithdrawn(code)) return { state: 'withdrawn', reason: code };
    throw error;
  }
}

/**
 * A provider need not send an ID token with a refresh (OpenID Connect Core section 12.2), and some refresh without
 * looking at the person: then what it says of them now is asked for. Null where there is nothing to ask.
 */
async function userInfo(
  provider: oidc.Configuration,
  subject: string,
  accessToken: string,
): Promise<Claims | null> {
  if (provider.serverMetadata().userinfo_endpoint === undefined) return null;
  return guarded(() => oidc.fetchUserInfo(provider, accessToken, subject));
}

/** The provider's metadata, kept for an hour; a failure is not kept. */
function discoverOnce(options: IdentityProviderOptions): () => Promise<oidc.Configuration> {
  let found: { readonly client: Promise<oidc.Configuration>; readonly at: number } | null = null;
  return () => {
    const now = options.clock.monotonic();
    if (found !== null && now - found.at < discoveryLifeMs) return found.client;
    const client = guarded(() => discover(options));
    found = { client, at: now };
    client.catch(() => {
      if (found?.client === client) found = null;
    });
    return client;
  };
}

async function discover({ config, outbound }: IdentityProviderOptions): Promise<oidc.Configuration> {
  const issuer = new URL(config.issuer);
  const client = await oidc.discovery(issuer, config.clientId, {}, authentication(config), {
    [oidc.customFetch]: guardedFetch(outbound),
    timeout: timeoutSeconds,
    // The configuration accepts http on this machine alone.
    execute: [oidc.enableNonRepudiationChecks, ...(issuer.protocol === 'http:' ? [insecure()] : [])],
  });
  // openid-client lets some multi-tenant issuers name another issuer than the one that was asked.
  if (client.serverMetadata().issuer !== config.issuer)
    throw new ProviderError('unavailable', 'other_issuer');
  return client;
}

/** Marked as deprecated by its author so that it stands out. */
function insecure(): (client: oidc.Configuration) => void {
  return oidc.allowInsecureRequests;
}

/** In the body where the provider says that it reads it there, else by the default of RFC 6749 section 2.3.1. */
function authentication({ clientSecret }: IdentityProviderConfig): oidc.ClientAuth {
  const [post, basic] = [oidc.ClientSecretPost, oidc.ClientSecretBasic].map((make) =>
    make(clientSecret.reveal()),
  );
  return (as, ...rest) => {
    const methods = as.token_endpoint_auth_methods_supported;
    return (methods?.includes('client_secret_post') ? post : basic)?.(as, ...rest);
  };
}

function scopesFor(provider: oidc.Configuration, { scopes }: IdentityProviderConfig): string {
  if (scopes !== null) return scopes.join(' ');
  const offline = provider.serverMetadata().scopes_supported?.includes('offline_access');
  return offline ? 'openid profile offline_access' : 'openid profile';
}

function guardedFetch(outbound: Outbound): oidc.CustomFetch {
  return (url, { method, headers, body }) =>
    outbound.exchange({
      url,
      trust: 'configured',
      timeoutMs: timeoutSeconds * 1000,
      maxBytes,
      method,
      headers,
      ...(body !== undefined && body !== null && { body: String(body) }),
    });
}

function secretOf(token: string | undefined): Secret | null {
  return token === undefined ? null : new Secret(token);
}

/** Errors of the library hold what was answered: only their codes go on. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    throw ProviderError.from(error);
  }
}
