import type { Dispatcher, Pool } from 'undici';
import { type Log, messageOf, Secret } from '../base/index.ts';
import type { HttpUpstreamConfig } from '../config/index.ts';
import { isNamed } from '../protocol/index.ts';
import type { AssertionSigner } from './assertion.ts';
import type { CredentialAnswer, UpstreamCredentials } from './credentials/index.ts';
import type {
  AnswerHead,
  AnswerSink,
  Exchange,
  Upstream,
  UpstreamFailure,
  UpstreamRequest,
  UpstreamState,
} from './upstream.ts';

/** Header names that an answer may carry on to the client. Everything else stays behind. */
const returned = ['mcp-protocol-version', 'retry-after'] as const;

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

type Controller = Dispatcher.DispatchController;

class HttpExchange implements Dispatcher.DispatchHandler, Exchange {
  readonly #sink: AnswerSink;
  readonly #report: (reached: boolean) => void;
  /** Runs until the head has come, then between two parts of an answer that is no event stream. Those last as long as they last. */
  #deadline: NodeJS.Timeout | null;
  #controller: Controller | null = null;
  #over = false;
  #refused: (() => UpstreamFailure) | null = null;

  constructor(sink: AnswerSink, timeoutMs: number, report: (reached: boolean) => void) {
    this.#sink = sink;
    this.#report = report;
    this.#deadline = setTimeout(() => this.#late(), timeoutMs);
  }

  abort(): void {
    if (this.#over) return;
    this.#finish();
    this.#controller?.abort(new Error('the client went away'));
  }

  resume(): void {
    if (!this.#over) this.#controller?.resume();
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** What a 401 means where the caller's own credentials were sent. */
  whenRefused(failure: () => UpstreamFailure): void {
    this.#refused = failure;
  }

  fail(code: UpstreamFailure['code'], detail: string): void {
    this.end({ code, detail });
  }

  end(failure: UpstreamFailure): void {
    if (this.#over) return;
    this.#finish();
    this.#sink.fail(failure);
    this.#controller?.abort(new Error(failure.detail));
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error('the client went away'));
  }

  onResponseStart(
    _controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#over || status < 200) return;
    this.#report(true);
    if (status === 401 && this.#refused) {
      this.end(this.#refused());
      return;
    }
    const unusable = unusableStatus(status) ?? unusableCoding(headers['content-encoding']);
    if (unusable) {
      this.fail('upstream_invalid', unusable);
      return;
    }
    const head = answerHead(status, headers);
    if (head.contentType === 'text/event-stream') this.#endDeadline();
    this.#sink.head(head);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#over) return;
    if (!this.#sink.data(chunk)) controller.pause();
    this.#deadline?.refresh();
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#finish();
    this.#sink.end();
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.#over) return;
    const code = (error as { code?: unknown }).code;
    const timedOut = code === 'UND_ERR_CONNECT_TIMEOUT';
    if (!timedOut) this.#report(false);
    this.fail(
      timedOut ? 'upstream_timeout' : 'upstream_unavailable',
      `${typeof code === 'string' ? `${code} ` : ''}${messageOf(error)}`,
    );
  }

  #late(): void {
    // A client that is behind holds the upstream up: that is not the upstream's silence.
    if (this.#controller?.paused) this.#deadline?.refresh();
    else this.fail('upstream_timeout', 'the upstream fell silent');
  }

  #finish(): void {
    this.#over = true;
    this.#endDeadline();
  }

  #endDeadline(): void {
    if (this.#deadline) clearTimeout(this.#deadline);
    this.#deadline = null; // a cleared timer would start again when refreshed
  }
}

/**
 * A 401 or 403 of the upstream is about the gateway's credentials: passing it on would send the client to authorize again, for
 * ever. A redirect would take the call to where nobody decided it may go.
 */
function unusableStatus(status: number): string | null {
  if (status === 401 || status === 403 || status === 407)
    return `the upstream refused the gateway with ${status}`;
  if (status >= 300 && status < 400) return `the upstream redirected with ${status}`;
  return status > 599 ? `the upstream answered with ${status}` : null;
}

/** No coding was asked for, and what cannot be read cannot be judged. */
function unusableCoding(coding: string | string[] | undefined): string | null {
  return coding === undefined || coding === 'identity' ? null : 'the upstream answered in a content coding';
}

function answerHead(status: number, headers: Record<string, string | string[] | undefined>): AnswerHead {
  const text = (name: string): string | null => {
    const value = headers[name];
    // What repeats a header, or has bytes in it that readers take differently, says nothing.
    return typeof value === 'string' && /^[\x20-\x7e]*$/.test(value) ? value : null;
  };
  const length = Number(text('content-length') ?? Number.NaN);
  const passed: Record<string, string> = {};
  for (const name of returned) {
    const value = text(name);
    if (value !== null) passed[name] = value;
  }
  return {
    status,
    contentType: (text('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    contentLength: Number.isSafeInteger(length) && length >= 0 ? length : null,
    session: text('mcp-session-id'),
    headers: passed,
  };
}
