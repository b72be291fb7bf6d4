import { type Dispatcher, Pool } from 'undici';
import { type Log, messageOf, type Secret } from '../base/index.ts';
import type { HttpUpstreamConfig } from '../config/index.ts';
import { isNamed } from '../protocol/index.ts';
import type {
  AnswerHead,
  AnswerSink,
  Exchange,
  Upstream,
  UpstreamRequest,
  UpstreamState,
} from './upstream.ts';

/** Header names that an answer may carry on to the client. Everything else stays behind. */
const returned = ['mcp-protocol-version', 'retry-after'] as const;

/**
 * An MCP server over Streamable HTTP. The bytes that were checked are the bytes that are sent; answers stream back as they come.
 * Connections are pooled and kept alive; no redirect is followed; no header of the client travels on unless allow-listed.
 */
export function createHttpUpstream(options: {
  name: string;
  config: HttpUpstreamConfig;
  log: Log;
}): Upstream {
  const { config } = options;
  const url = new URL(config.url);
  const path = `${url.pathname}${url.search}`;
  // Two pools, so that open streams can never use up the connections that calls need.
  const calls = newPool(url.origin, config, config.connections);
  const streams = newPool(url.origin, config, null);
  const configured = Object.entries(config.headers).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  let state: UpstreamState = 'idle';

  return {
    start: async () => {},
    exchange(request, sink) {
      const exchange = new HttpExchange(sink, (reached) => {
        state = reached ? 'ready' : 'down';
      });
      if (state === 'closed') {
        sink.fail({ code: 'shutting_down', detail: 'the upstream is closed' });
        return exchange;
      }
      const method = request.httpMethod;
      const headers = headersFor(request, configured);
      // An idempotent request would be sent again on a broken connection: a call must leave at most once.
      const pool = isStream(request) ? streams : calls;
      pool.dispatch({ path, method, headers, body: request.body, idempotent: false }, exchange);
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

function newPool(origin: string, config: HttpUpstreamConfig, connections: number | null): Pool {
  return new Pool(origin, {
    connections,
    // Streams last as long as they last; only the wait for an answer's head is bounded.
    bodyTimeout: 0,
    headersTimeout: config.requestTimeoutMs,
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

function headersFor(
  request: UpstreamRequest,
  configured: readonly (readonly [string, Secret])[],
): Record<string, string> {
  const headers: Record<string, string> = { ...request.headers, 'x-request-id': request.requestId };
  headers['accept'] ??= 'application/json, text/event-stream';
  if (request.body !== null) headers['content-type'] = 'application/json';
  // Compared with the body where the method gives it a meaning; elsewhere it would be a claim that nobody checked.
  const method = request.message && request.message.kind !== 'response' ? request.message.method : '';
  if (!isNamed(method)) delete headers['mcp-name'];
  if (request.session !== null) headers['mcp-session-id'] = request.session;
  for (const [name, value] of configured) headers[name] = value.reveal();
  return headers;
}

type Controller = Dispatcher.DispatchController;

class HttpExchange implements Dispatcher.DispatchHandler, Exchange {
  readonly #sink: AnswerSink;
  readonly #report: (reached: boolean) => void;
  #controller: Controller | null = null;
  #over = false;

  constructor(sink: AnswerSink, report: (reached: boolean) => void) {
    this.#sink = sink;
    this.#report = report;
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.abort(new Error('the client went away'));
  }

  resume(): void {
    if (!this.#over) this.#controller?.resume();
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
    const refused = unusable(status);
    if (refused) this.#fail('upstream_invalid', refused);
    else this.#sink.head(answerHead(status, headers));
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#over) return;
    if (!this.#sink.data(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink.end();
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.#over) return;
    this.#over = true;
    const code = (error as { code?: unknown }).code;
    const timedOut = code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT';
    if (!timedOut) this.#report(false);
    this.#sink.fail({
      code: timedOut ? 'upstream_timeout' : 'upstream_unavailable',
      detail: `${typeof code === 'string' ? `${code} ` : ''}${messageOf(error)}`,
    });
  }

  #fail(code: 'upstream_invalid', detail: string): void {
    this.#over = true;
    this.#sink.fail({ code, detail });
    this.#controller?.abort(new Error(detail));
  }
}

/**
 * A 401 or 403 of the upstream is about the gateway's credentials: passing it on would send the client to authorize again, for
 * ever. A redirect would take the call to where nobody decided it may go.
 */
function unusable(status: number): string | null {
  if (status === 401 || status === 403) return `the upstream refused the gateway with ${status}`;
  if (status >= 300 && status < 400) return `the upstream redirected with ${status}`;
  return null;
}

function answerHead(status: number, headers: Record<string, string | string[] | undefined>): AnswerHead {
  const text = (name: string): string | null => {
    const value = headers[name];
    return typeof value === 'string' ? value : null;
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
