import { randomToken, Secret, sha256Hex } from '../../base/index.ts';
import type { CheckContext } from '../context.ts';
import { documentOf, type Exchange, headerOf, isRecord } from '../exchange.ts';
import { serverMetadata } from './discovery.ts';

export const needsClient = '--tokens FILE with "client", or --allow-register';

/** Begins sign-ins that nobody will finish. */
export interface AuthorizationRequests {
  readonly redirectUri: string;
  /** @param change parameters in place of the usual ones; null leaves one out */
  ask(change: Readonly<Record<string, string | null>>): Promise<Exchange>;
}

/** With the person's client, or with one that may be registered for it. */
export async function authorizationRequest(context: CheckContext): Promise<AuthorizationRequests | null> {
  const endpoint = (await context.once(serverMetadata))?.['authorization_endpoint'];
  const client = await context.once(someClient);
  if (typeof endpoint !== 'string' || URL.parse(endpoint) === null || client === null) return null;
  const usual = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUri,
    state: randomToken(8),
    code_challenge: Buffer.from(sha256Hex(randomToken()), 'hex').toString('base64url'),
    code_challenge_method: 'S256',
    resource: context.target.href,
  };
  return {
    redirectUri: client.redirectUri,
    ask(change) {
      const url = new URL(endpoint);
      for (const [name, value] of Object.entries({ ...usual, ...change }))
        if (value !== null) url.searchParams.set(name, value);
      return context.door.ask({ url, method: 'GET', headers: [['Accept', 'text/html']] });
    },
  };
}

export interface SomeClient {
  readonly id: string;
  readonly redirectUri: string;
  /** RFC 7592, where the registration offered it. */
  readonly management: { readonly url: string; readonly token: string } | null;
}

async function someClient(context: CheckContext): Promise<SomeClient | null> {
  const { client } = context.tokens;
  if (client?.redirectUri) return { id: client.id, redirectUri: client.redirectUri, management: null };
  return context.allowed.register ? context.once(registeredClient) : null;
}

const loopbackRedirect = 'http://127.0.0.1:33419/callback';

/** A client with nothing wrong about it; unused ones are dropped by a well-kept server. */
export async function registeredClient(context: CheckContext): Promise<SomeClient | null> {
  const { client } = await register(context, {});
  return client;
}

export interface Registered {
  readonly exchange: Exchange | null;
  readonly client: SomeClient | null;
}

/** Registers (RFC 7591) with these members in place of the usual ones. */
export async function register(
  context: CheckContext,
  change: Readonly<Record<string, unknown>>,
  unpaced = false,
): Promise<Registered> {
  const url = (await context.once(serverMetadata))?.['registration_endpoint'];
  if (typeof url !== 'string' || URL.parse(url) === null) return { exchange: null, client: null };
  const metadata = {
    client_name: 'portcullis check (to be removed)',
    redirect_uris: [loopbackRedirect],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    ...change,
  };
  const headers = [['Content-Type', 'application/json'] as const, ['Accept', 'application/json'] as const];
  const exchange = await context.door.ask({ url, headers, body: JSON.stringify(metadata), unpaced });
  const document = documentOf(exchange);
  const id = exchange.status === 201 || exchange.status === 200 ? document?.['client_id'] : undefined;
  if (typeof id !== 'string') return { exchange, client: null };
  const management = managementOf(document, url);
  if (management && management.token.length >= leastToken)
    context.door.keep({ name: 'registration', secret: new Secret(management.token) });
  return { exchange, client: { id, redirectUri: loopbackRedirect, management } };
}

/** Shorter words may stand anywhere. */
const leastToken = 16;

/** At the origin that registers: a request to delete something elsewhere is not sent because a server says so. */
function managementOf(document: unknown, endpoint: string): SomeClient['management'] {
  if (!isRecord(document)) return null;
  const { registration_client_uri: url, registration_access_token: token } = document;
  if (typeof url !== 'string' || typeof token !== 'string') return null;
  return URL.parse(url)?.origin === new URL(endpoint).origin ? { url, token } : null;
}

/** RFC 7592 section 2.3, where it is offered: what was registered for a test should not stay. */
export async function unregister({ door }: CheckContext, { management }: SomeClient): Promise<boolean> {
  if (management === null) return false;
  const headers = [['Authorization', `Bearer ${management.token}`] as const];
  const { status } = await door.ask({ url: management.url, method: 'DELETE', headers, toIssuer: true });
  return status === 204;
}

/** An error page, or a redirect with an error in it. Anything else goes on to a sign-in. */
export function answerIsRefusal(exchange: Exchange): boolean {
  if (exchange.status >= 400) return true;
  const location = headerOf(exchange, 'location');
  if (location === null) return /\berror\b/i.test(exchange.body) && exchange.status !== 200;
  return /[?&#]error=/.test(location);
}
