import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oauth from 'oauth4webapi';
import { messageOf, OperationError, Secret } from '../../base/index.ts';
import type { CheckContext } from '../context.ts';
import { derive } from './derived.ts';
import { type Issuer, issuerOf } from './issuer.ts';
import { named } from './read-token-set.ts';
import type { TokenSet } from './token-set.ts';

export interface LoginOptions {
  /** Registered before; otherwise the check registers itself, as any client does. */
  readonly clientId: string | null;
  /** An https URL with the check’s own metadata (CIMD), where the person publishes one. */
  readonly clientMetadataUrl: string | null;
  /** Named by the person; null: the one that the target names. */
  readonly issuer: string | null;
  /** Scopes to ask for in place of those that the server names. */
  readonly scope: string | null;
  /** Shows the address to open. Nothing is opened by force. */
  readonly show: (url: string) => void;
  readonly waitMs: number;
}

/**
 * Signs in through the browser as a real client: PKCE, resource, iss checked, a loopback redirect.
 * @throws OperationError that says what the server or the person did
 */
export async function logIn(context: CheckContext, options: LoginOptions): Promise<TokenSet> {
  const issuer = await issuerOf(context, options.issuer);
  refuseMixUp(issuer);
  const catcher = await openCatcher();
  try {
    const client = await clientFor(issuer, catcher.redirectUri, options);
    return await authorize(context, { issuer, client, catcher, options });
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(`the sign-in failed: ${messageOf(error)}`);
  } finally {
    await catcher.close();
  }
}

interface Login {
  readonly issuer: Issuer;
  readonly client: oauth.Client;
  readonly catcher: Catcher;
  readonly options: LoginOptions;
}

async function authorize(
  context: CheckContext,
  { issuer, client, catcher, options }: Login,
): Promise<TokenSet> {
  const { server } = issuer;
  const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()];
  const endpoint = server.authorization_endpoint;
  if (endpoint === undefined || !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    throw new OperationError('the authorization endpoint is no web address');
  const url = new URL(endpoint);
  const parameters = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: catcher.redirectUri,
    scope: options.scope ?? issuer.scope,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    resource: context.target.href,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== '') url.searchParams.set(name, value);
  options.show(url.href);
  const callback = await catcher.caught(options.waitMs);
  const checked = oauth.validateAuthResponse(server, client, callback, state);
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    checked,
    catcher.redirectUri,
    verifier,
    { ...issuer.options, additionalParameters: { resource: context.target.href } },
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer);
  const set: TokenSet = {
    tokens: { good: named('good', tokens.access_token) },
    issuer: server.issuer,
    client: { id: client.client_id, secret: null, redirectUri: catcher.redirectUri },
    refreshToken: null,
    disposable: true,
  };
  if (tokens.refresh_token === undefined) return set;
  const derived = await derive(context, {
    good: named('good', tokens.access_token),
    scope: tokens.scope ?? parameters.scope,
    refresh: tokens.refresh_token,
    async ask(refresh, change) {
      const again = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refresh ?? '', {
        ...issuer.options,
        additionalParameters: { ...change },
      });
      return oauth.processRefreshTokenResponse(server, client, again);
    },
  });
  return { ...set, ...derived };
}

/**
 * The target may name an issuer of its own making, whose sign-in page is that of another one: the code that comes back would then go
 * to the wrong token endpoint (RFC 9207 section 1). With iss in the answer the library sees it.
 */
function refuseMixUp({ server, isNamed }: Issuer): void {
  const [page, endpoint] = [server.authorization_endpoint, server.token_endpoint].map((url) =>
    URL.parse(url ?? ''),
  );
  if (isNamed || server.authorization_response_iss_parameter_supported === true) return;
  if (!page || !endpoint || page.origin === endpoint.origin) return;
  throw new OperationError(
    `the sign-in page is at ${page.origin}, and the code would go to ${endpoint.origin}`,
    { hint: `if both belong to ${server.issuer}, add --issuer ${server.issuer}` },
  );
}

async function clientFor(
  { server, options: requests }: Issuer,
  redirectUri: string,
  { clientId, clientMetadataUrl }: LoginOptions,
): Promise<oauth.Client> {
  if (clientId !== null) return { client_id: clientId, token_endpoint_auth_method: 'none' };
  if (clientMetadataUrl !== null && server.client_id_metadata_document_supported === true)
    return { client_id: clientMetadataUrl, token_endpoint_auth_method: 'none' };
  if (server.registration_endpoint === undefined)
    throw new OperationError('the authorization server registers no clients', {
      hint: 'name one that it knows with --client-id, or a metadata document with --client-metadata-url',
    });
  const metadata = {
    client_name: 'portcullis check',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  };
  const answer = await oauth.dynamicClientRegistrationRequest(server, metadata, requests);
  return oauth.processDynamicClientRegistrationResponse(answer);
}

interface Catcher {
  readonly redirectUri: string;
  caught(waitMs: number): Promise<URLSearchParams>;
  close(): Promise<void>;
}

/** Listens on the loopback address for the browser to come back, once (RFC 8252 section 7.3). */
async function openCatcher(): Promise<Catcher> {
  let found: (parameters: URLSearchParams) => void = () => {};
  const parameters = new Promise<URLSearchParams>((resolve) => {
    found = resolve;
  });
  const server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const isCallback = request.method === 'GET' && url.pathname === '/callback';
    response.writeHead(isCallback ? 200 : 404, {
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'",
      'cache-control': 'no-store',
      connection: 'close',
    });
    response.end(isCallback ? 'Thank you. The check goes on in the terminal.\n' : 'Nothing here.\n');
    if (isCallback) found(url.searchParams);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    redirectUri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
    async caught(waitMs) {
      const timer = AbortSignal.timeout(waitMs);
      const late = once(timer, 'abort').then(() => {
        throw new OperationError('nobody signed in', {
          hint: 'open the address in a browser, and sign in there',
        });
      });
      return Promise.race([parameters, late]);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A token for the check itself, without anybody who signs in (RFC 6749 section 4.4). */
export async function clientCredentials(
  context: CheckContext,
  client: {
    readonly id: string;
    readonly secret: Secret;
    readonly scope: string | null;
    readonly issuer: string | null;
  },
): Promise<TokenSet> {
  const issuer = await issuerOf(context, client.issuer);
  const { server } = issuer;
  // The secret is that of one issuer, and which one a target names is its own word.
  if (!issuer.isNamed && new URL(server.issuer).origin !== context.target.origin)
    throw new OperationError(`the client secret would go to ${server.issuer}, which the server names`, {
      hint: `if the client is registered there, add --issuer ${server.issuer}`,
    });
  const scope = client.scope ?? issuer.scope;
  try {
    const ask = async (change: { resource: string; scope?: string }) => {
      const answer = await oauth.clientCredentialsGrantRequest(
        server,
        { client_id: client.id },
        oauth.ClientSecretBasic(client.secret.reveal()),
        change,
        issuer.options,
      );
      return oauth.processClientCredentialsResponse(server, { client_id: client.id }, answer);
    };
    const tokens = await ask({ resource: context.target.href, ...(scope !== '' && { scope }) });
    const good = named('good', tokens.access_token);
    const derived = await derive(context, {
      good,
      scope: tokens.scope ?? scope,
      refresh: null,
      ask: (_refresh, change) => ask(change),
    });
    return {
      issuer: server.issuer,
      client: { id: client.id, secret: new Secret(client.secret.reveal()), redirectUri: null },
      disposable: true,
      ...derived,
    };
  } catch (error) {
    throw new OperationError(`the authorization server gave no token: ${messageOf(error)}`);
  }
}
