import * as oauth from 'oauth4webapi';
import { type Clock, type Log, messageOf, sha256Hex } from '../../base/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import { discoverIssuer } from '../issuer-metadata.ts';
import { BackOff } from './back-off.ts';
import { type ClientCredentials, clientAuthentication } from './client-credentials.ts';

/** What an issuer says of a token (RFC 7662 section 2.2). `unavailable` is no answer: the token is neither good nor bad. */
export type Introspected =
  | { readonly state: 'active'; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly state: 'inactive' }
  | { readonly state: 'unavailable'; readonly detail: string };

export interface IntrospectorOptions {
  readonly issuer: string;
  /** Null: read from the issuer's metadata. */
  readonly endpoint: string | null;
  readonly clientId: string;
  readonly credentials: ClientCredentials;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of what callers make us ask at once; more are told that the issuer is not available. */
const maxRunning = 64;
const timeoutMs = 3000;
const maxBytes = 256 * 1024;
const metadataLifeMs = 3_600_000;

const busy: Introspected = { state: 'unavailable', detail: 'too many introspections at once' };
const resting: Introspected = { state: 'unavailable', detail: 'the endpoint failed a moment ago' };

/** Asks one issuer. Keeps no answers: `Authenticator` does. One for all servers. */
export class Introspector {
  readonly #options: IntrospectorOptions;
  readonly #authentication: oauth.ClientAuth;
  readonly #running = new Map<string, Promise<Introspected>>();
  readonly #backOff = new BackOff();
  #metadata: { readonly as: oauth.AuthorizationServer; readonly at: number } | null = null;

  constructor(options: IntrospectorOptions) {
    this.#options = options;
    this.#authentication = clientAuthentication(options.credentials);
  }

  /** Several who ask for one token at once get one answer. @param token attacker-controlled */
  ask(token: string): Promise<Introspected> {
    const key = sha256Hex(token);
    const known = this.#running.get(key);
    if (known) return known;
    if (this.#running.size >= maxRunning) return Promise.resolve(busy);
    if (!this.#backOff.enter(this.#options.clock.monotonic())) return Promise.resolve(resting);
    const running = this.#try(token).finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }

  async #try(token: string): Promise<Introspected> {
    const { clock, log, issuer } = this.#options;
    const result = await this.#request(token).catch(
      (error: unknown): Introspected => ({ state: 'unavailable', detail: publicReason(error) }),
    );
    this.#backOff.settle(result.state !== 'unavailable', clock.monotonic());
    if (result.state === 'unavailable')
      log.warn({ issuer, detail: result.detail }, 'a token could not be introspected');
    return result;
  }

  async #request(token: string): Promise<Introspected> {
    const { clientId, outbound } = this.#options;
    const as = await this.#server();
    const client: oauth.Client = { client_id: clientId };
    const response = await oauth.introspectionRequest(as, client, this.#authentication, token, {
      additionalParameters: { token_type_hint: 'access_token' },
      requestJwtResponse: false,
      // The configuration accepts http on this machine alone.
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: (url, { method, headers, body }) =>
        outbound.exchange({
          url,
          trust: 'configured',
          timeoutMs,
          maxBytes,
          method,
          headers,
          body: String(body),
        }),
    });
    if (!/^application\/json\b/i.test(response.headers.get('content-type') ?? ''))
      throw new Error(`status ${response.status}, and no JSON`);
    const claims = await oauth.processIntrospectionResponse(as, client, response);
    return claims.active ? { state: 'active', claims } : { state: 'inactive' };
  }

  async #server(): Promise<oauth.AuthorizationServer> {
    const { issuer, endpoint, outbound, clock } = this.#options;
    if (endpoint !== null) return { issuer, introspection_endpoint: endpoint };
    const now = clock.monotonic();
    if (this.#metadata && now - this.#metadata.at < metadataLifeMs) return this.#metadata.as;
    const as = (await discoverIssuer(
      issuer,
      'introspection_endpoint',
      outbound,
    )) as oauth.AuthorizationServer;
    this.#metadata = { as, at: now };
    return as;
  }
}

/** Errors of the library hold what was answered: only codes go on. */
function publicReason(error: unknown): string {
  if (error instanceof oauth.ResponseBodyError) return `status ${error.status}, error ${error.error}`;
  if (error instanceof oauth.WWWAuthenticateChallengeError)
    return `status ${error.status}: are the credentials right?`;
  return messageOf(error).slice(0, 200);
}
