import * as oauth from 'oauth4webapi';
import { type Clock, type Log, messageOf, Secret } from '../../base/index.ts';
import type { UpstreamExchangeConfig } from '../../config/index.ts';
import { BoundedMap, clientAuthentication, type Principal } from '../../identity/index.ts';
import { discoverProvider, type Outbound, oauthRequests } from '../../outbound/index.ts';
import type { AssertionSigner } from '../assertion.ts';
import type { CredentialAnswer, NotConnected, UpstreamCredentials } from './credentials.ts';

/** RFC 8693. */
const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';

/** However long a token lives: what its provider withdrew is used no longer than this. */
const longestMs = 5 * 60_000;
/** A token with less time left is not sent: the call takes time. */
const marginMs = 10_000;
/** The provider's no is not asked for again at once; nor is one that does not answer. */
const refusedMs = 10_000;
const unavailableMs = 1_000;
const metadataLifeMs = 3_600_000;
const mostCallers = 10_000;

export interface ExchangeOptions {
  /** Of the server, for messages. */
  readonly name: string;
  readonly config: UpstreamExchangeConfig;
  readonly outbound: Outbound;
  readonly assertions: AssertionSigner;
  readonly clock: Clock;
  readonly log: Log;
}

interface Kept {
  readonly answer: CredentialAnswer;
  /** Monotonic. */
  readonly until: number;
}

/**
 * A token of the upstream's own provider for each caller, by token exchange (RFC 8693). What is exchanged is an assertion that the
 * gateway signs of the caller; the caller's own token only where the operator asks for it, and then only at the very issuer that made
 * it: nobody else may see it (MCP authorization, "Token passthrough").
 */
export function createExchange(options: ExchangeOptions): UpstreamCredentials {
  const { config, clock } = options;
  const kept = new BoundedMap<Kept>(mostCallers);
  const running = new Map<string, Promise<CredentialAnswer>>();
  const ask = createAsking(options);
  const fresh = (key: string): CredentialAnswer | null => {
    const known = kept.get(key);
    return known && known.until > clock.monotonic() ? known.answer : null;
  };
  const asked = async (key: string, principal: Principal, own: Secret | null): Promise<CredentialAnswer> => {
    const { answer, forMs } = await ask(principal, own);
    if (forMs > 0) kept.set(key, { answer, until: clock.monotonic() + forMs });
    return answer;
  };
  return {
    async find(_server, principal, own = null) {
      const key = keyOf(config, principal);
      const known = fresh(key) ?? running.get(key);
      if (known) return known;
      const started = asked(key, principal, own).finally(() => running.delete(key));
      running.set(key, started);
      return started;
    },
    refused(_server, principal) {
      kept.delete(keyOf(config, principal));
      return refusedHere(options.name, 'the server refused the exchanged token');
    },
  };
}

/** What the token that comes back may depend on: nothing of it may serve another caller, or the same one with less. */
function keyOf({ subject }: UpstreamExchangeConfig, principal: Principal): string {
  const { key, organization, scopes, actors, tokenId } = principal;
  return JSON.stringify([key, organization, [...scopes].sort(), actors, subject === 'caller' ? tokenId : '']);
}

type Asking = (
  principal: Principal,
  own: Secret | null,
) => Promise<{ readonly answer: CredentialAnswer; readonly forMs: number }>;

function createAsking(options: ExchangeOptions): Asking {
  const { config, outbound, log, name } = options;
  const requests = oauthRequests(outbound, [config.issuer, config.tokenEndpoint]);
  const client: oauth.Client = { client_id: config.clientId };
  const authentication = clientAuthentication(config, 'token');
  const server = providerOnce(options);
  return async (principal, own) => {
    const given = subjectOf(options, principal, own);
    if (given === null) {
      const detail = 'the caller\u2019s token is of another issuer than the one that exchanges it';
      return { answer: refusedHere(name, detail), forMs: 0 };
    }
    try {
      const as = await server();
      const sent = [as, client, authentication, grantType, parametersOf(config, given), requests] as const;
      const answer = await oauth.genericTokenEndpointRequest(...sent);
      const tokens = await oauth.processGenericTokenEndpointResponse(as, client, answer);
      return usable(tokens, given);
    } catch (error) {
      if (error instanceof oauth.ResponseBodyError && refusals.has(error.error)) {
        return { answer: refusedHere(name, `the provider refused: ${error.error}`), forMs: refusedMs };
      }
      const detail = `no token by exchange: ${reasonOf(error)}`;
      log.warn({ server: name, detail }, 'a token could not be exchanged');
      return { answer: { state: 'unavailable', detail }, forMs: unavailableMs };
    }
  };
}

/** Answers that speak of the caller (RFC 6749 section 5.2, RFC 8693 section 2.2.2). Others speak of us, or of nobody. */
const refusals = new Set([
  'invalid_grant',
  'access_denied',
  'invalid_target',
  'invalid_scope',
  'interaction_required',
]);

/** Never what an answer said: it could be a token. */
function reasonOf(error: unknown): string {
  if (error instanceof oauth.ResponseBodyError) return `error answer with status ${error.status}`;
  if (error instanceof oauth.OperationProcessingError) return error.code ?? 'an unusable answer';
  return messageOf(error);
}

interface SubjectToken {
  readonly token: Secret;
  readonly type: string;
}

function subjectOf(
  { config, assertions }: ExchangeOptions,
  principal: Principal,
  own: Secret | null,
): SubjectToken | null {
  if (config.subject === 'caller') {
    return own !== null && principal.issuer === config.issuer ? { token: own, type: accessToken } : null;
  }
  const audience = config.issuer ?? config.tokenEndpoint ?? '';
  const requestId = crypto.randomUUID();
  return { token: new Secret(assertions.sign({ audience, requestId, principal })), type: jwt };
}

function parametersOf(
  { audience, resource, scopes }: UpstreamExchangeConfig,
  { token, type }: SubjectToken,
): URLSearchParams {
  return new URLSearchParams({
    subject_token: token.reveal(),
    subject_token_type: type,
    requested_token_type: accessToken,
    ...(audience !== null && { audience }),
    ...(resource !== null && { resource }),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
  });
}

/** @throws when the answer is no access token that we may send */
function usable(
  answer: oauth.TokenEndpointResponse,
  { token: given }: SubjectToken,
): { answer: CredentialAnswer; forMs: number } {
  const { access_token: token, token_type: type, expires_in: seconds, issued_token_type: issued } = answer;
  // RFC 8693 section 2.2.1: required, and `N_A` is the type of what is no access token.
  if (type !== 'bearer' || (issued !== accessToken && issued !== jwt))
    throw new Error('another kind of token came back');
  if (token === given.reveal()) throw new Error('what was given came back');
  // What goes into a header must be able to stand there (RFC 6750 section 2.1).
  if (!/^[\x21-\x7e]{1,16384}$/.test(token)) throw new Error('the token cannot be sent');
  const lifeMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 - marginMs : 0;
  return { answer: { state: 'connected', token: new Secret(token) }, forMs: Math.min(lifeMs, longestMs) };
}

function refusedHere(server: string, detail: string): NotConnected {
  const message = `The provider of ${server} gives this caller no access to it`;
  return { state: 'not_connected', message, detail };
}

/** The provider's metadata, kept for an hour; a failure is not kept. */
function providerOnce({
  config,
  outbound,
  clock,
}: ExchangeOptions): () => Promise<oauth.AuthorizationServer> {
  const { issuer, tokenEndpoint } = config;
  let found: { readonly as: oauth.AuthorizationServer; readonly at: number } | null = null;
  return async () => {
    if (tokenEndpoint !== null) {
      return { issuer: issuer ?? new URL(tokenEndpoint).origin, token_endpoint: tokenEndpoint };
    }
    if (found !== null && clock.monotonic() - found.at < metadataLifeMs) return found.as;
    const requests = oauthRequests(outbound, [issuer]);
    const as = await discoverProvider(new URL(issuer ?? ''), requests, ['token_endpoint']);
    found = { as, at: clock.monotonic() };
    return as;
  };
}
