import type { Dispatcher } from 'undici';
import { messageOf } from '../base/index.ts';
import type { AnswerHead, AnswerSink, Exchange, UpstreamFailure } from './upstream.ts';

/** Header names that an answer may carry on to the client. Everything else stays behind. */
const returned = ['mcp-protocol-version', 'retry-after'] as const;

type Controller = Dispatcher.DispatchController;

/** One request to an MCP server over HTTP, and what comes back: at most one answer, within its time. */
export class HttpExchange implements Dispatcher.DispatchHandler, Exchange {
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
