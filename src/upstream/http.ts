import type { Pool } from 'undici';
import { type Log, messageOf, Secret } from '../base/index.ts';
import type { HttpUpstreamConfig } from '../config/index.ts';
import { isNamed } from '../protocol/index.ts';
import type { AssertionSigner } from './assertion.ts';
import type { CredentialAnswer, UpstreamCredentials } from './credentials/index.ts';
import { HttpExchange } from './http-exchange.ts';
import type { Upstream, UpstreamFailure, UpstreamRequest, UpstreamState } from './upstream.ts';

/**
 * An MCP server over Streamable HTTP. The bytes that were checked are the bytes that are sent; answers stream back as they come.
 * Connections are pooled and kept alive; no redirect is followed; no header of the client travels on unless allow-listed.
 */
export async function createHttpUpstream(options: {
  name: string;
  config: HttpUpstreamConfig;
  log: Log;
  /** Needed where the configuration asks for assertions. */
  assertions?: AssertionSigner;
  /** Needed where the configuration asks for people's own credentials. */
  credentials?: UpstreamCredentials;
}): Promise<Upstream> {
  const { config, name } = options;
  const people = config.connect || config.exchange ? required(options.credentials) : null;
  const assert = assertionHeader(config, options.assertions);
  const url = new URL(config.url);
  const path = `${url.pathname}${url.search}`;
  // Two pools, so that open streams can never use up the connections that calls need.
  const calls = await newPool(url.origin, config.connections);
  const streams = await newPool(url.origin, null);
  const configured = Object.entries(config.headers).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  let state: UpstreamState = 'idle';

  return {
    start: async () => {},
    exchange(request, sink) {
      const exchange = new HttpExchange(sink, config.requestTimeoutMs, (reached) => {
        if (state !== 'closed') state = reached ? 'ready' : 'down';
      });
      if (state === 'closed') {
        exchange.fail('shutting_down', 'the upstream is closed');
        return exchange;
      }
      const send = (credentials: Credentials) => {
        const { httpMethod: method, body } = request;
        const headers = { ...headersFor(request, credentials), ...assert(request) };
        // An idempotent request would be sent again on a broken connection: a call must leave at most once.
        const pool = isStream(request) ? streams : calls;
        pool.dispatch({ path, method, headers, body, idempotent: false }, exchange);
      };
      if (people === null || request.principalKey === null) send(configured);
      else void sendAsPerson({ name, request, exchange, people }, send);
      return exchange;
    },
    onToolsChanged() {
      // No stream of our own is kept open: the tool list is read again when it is old or a name is unknown.
    },
    state: () => state,
    async close() {
      state = 'closed';
      await Promise.all([calls.destroy(), streams.destroy()]);
    },
  };
}

type Credentials = readonly (readonly [string, Secret])[];

interface PersonalExchange {
  readonly name: string;
  readonly request: UpstreamRequest;
  readonly exchange: HttpExchange;
  readonly people: UpstreamCredentials;
}

/** With the caller's own token and none of the configured headers: those are the gateway's, and may open more. */
async function sendAsPerson(
  { name, request, exchange, people }: PersonalExchange,
  send: (credentials: Credentials) => void,
): Promise<void> {
  try {
    const { principal, callerToken = null } = request;
    if (principal === undefined) throw new Error('a call of nobody');
    const answer = await people.find(name, principal, callerToken);
    if (exchange.isOver) return;
    if (answer.state !== 'connected') return exchange.end(withoutCredentials(answer));
    const { token } = answer;
    exchange.whenRefused(() => withoutCredentials(people.refused(name, principal, token)));
    send([['authorization', new Secret(`Bearer ${token.reveal()}`)]]);
  } catch (error) {
    exchange.fail('upstream_unavailable', `the call was not sent: ${messageOf(error)}`);
  }
}

function withoutCredentials(answer: Exclude<CredentialAnswer, { state: 'connected' }>): UpstreamFailure {
  const { detail } = answer;
  if (answer.state === 'unavailable') return { code: 'upstream_unavailable', detail };
  return { code: 'upstream_not_connected', detail, message: answer.message };
}

function required(credentials: UpstreamCredentials | undefined): UpstreamCredentials {
  if (!credentials) throw new Error('credentials of people are configured, and nothing knows them');
  return credentials;
}

/** Who calls, in a header that no client can send: theirs are not forwarded, and this one comes last. */
function assertionHeader(
  { assertion, url }: HttpUpstreamConfig,
  signer: AssertionSigner | undefined,
): (request: UpstreamRequest) => Record<string, string> {
  if (!assertion) return () => ({});
  if (!signer) throw new Error('assertions are configured, and nothing can sign them');
  const audience = assertion.audience ?? url;
  return ({ requestId, principal = null }) => ({
    [assertion.header]: signer.sign({ audience, requestId, principal }),
  });
}

/** undici is loaded where there is such an upstream: the others do without 20 MB. */
async function newPool(origin: string, connections: number | null): Promise<Pool> {
  const { Pool } = await import('undici');
  return new Pool(origin, {
    connections,
    // The exchange keeps time itself: these two start again with every interim answer, and cannot tell a stream from an answer.
    bodyTimeout: 0,
    headersTimeout: 0,
    connect: { timeout: 5000 },
    keepAliveTimeout: 30_000,
    pipelining: 1,
    allowH2: false,
  });
}

function isStream(request: UpstreamRequest): boolean {
  const message = request.message;
  return (
    request.httpMethod === 'GET' || (message?.kind === 'request' && message.method === 'subscriptions/listen')
  );
}

function headersFor(request: UpstreamRequest, credentials: Credentials): Record<string, string> {
  const headers: Record<string, string> = { ...request.headers, 'x-request-id': request.requestId };
  headers['accept'] ??= 'application/json, text/event-stream';
  if (request.body !== null) headers['content-type'] = 'application/json';
  // Compared with the body where the method gives it a meaning; elsewhere it would be a claim that nobody checked.
  const method = request.message && request.message.kind !== 'response' ? request.message.method : '';
  if (!isNamed(method)) delete headers['mcp-name'];
  if (method === '') delete headers['mcp-method'];
  if (request.session !== null) headers['mcp-session-id'] = request.session;
  for (const [name, value] of credentials) headers[name] = value.reveal();
  return headers;
}
