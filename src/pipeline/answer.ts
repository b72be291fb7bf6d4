import { EventSplitter, eventData, isObject, type Json, withEventData } from '../protocol/index.ts';
import type { AnswerHead, AnswerSink, Exchange, UpstreamFailure } from '../upstream/index.ts';
import type { ClearedCall } from './call.ts';
import type { CallRecord, Ending } from './call-record.ts';
import type { OpenStream } from './open-streams.ts';
import { answerTo, baseHeaders } from './outcome.ts';
import type { Reply } from './request.ts';
import type { Runtime } from './runtime.ts';
import { viewOfToolList } from './tool-list-view.ts';

/** Up to here an answer is held back, read and sent at once; beyond, it streams. */
const bufferedBytes = 1024 * 1024;
/** A tool list is always read whole, because it is changed; a larger one is refused. */
const maxListBytes = 16 * 1024 * 1024;
const maxEventBytes = 16 * 1024 * 1024;
const comment = Buffer.from(':\n\n');
const newline = 0x0a;

const cancelled: Ending = {
  result: 'error',
  reason: 'cancelled',
  detail: 'the client went away',
  status: null,
};

/**
 * Passes one answer of the upstream to the client, notes how it ended before its last byte leaves, and changes one thing only: the
 * tool list, to what this caller may see.
 */
export class Answer implements AnswerSink, OpenStream {
  readonly standing: boolean;
  readonly #call: ClearedCall;
  readonly #reply: Reply;
  readonly #record: CallRecord;
  readonly #runtime: Runtime;
  readonly #isList: boolean;
  #exchange: Exchange | null = null;
  #head: AnswerHead | null = null;
  #mode: 'waiting' | 'buffer' | 'stream' | 'events' | 'over' = 'waiting';
  #chunks: Buffer[] = [];
  #size = 0;
  #splitter: EventSplitter | null = null;
  #ending: Ending | null = null;
  #quiet = true;
  #betweenLines = true;

  constructor(call: ClearedCall, parts: { reply: Reply; record: CallRecord; runtime: Runtime }) {
    this.#call = call;
    this.#reply = parts.reply;
    this.#record = parts.record;
    this.#runtime = parts.runtime;
    this.#isList = call.operation.kind === 'tools';
    this.standing = call.httpMethod === 'GET' || call.operation.kind === 'listen';
  }

  /** Ties the answer to its exchange: a client that goes away ends the upstream request. */
  bind(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#reply.onDrain(() => exchange.resume());
    this.#reply.onGone(() => this.#gone());
  }

  head(head: AnswerHead): void {
    this.#head = head;
    if (head.contentType === 'text/event-stream') this.#openEvents(head);
    else if (!this.#isList && (head.contentLength ?? 0) > bufferedBytes) this.#openStream(head);
    else this.#mode = 'buffer';
  }

  data(chunk: Buffer): boolean {
    switch (this.#mode) {
      case 'buffer':
        return this.#buffer(chunk);
      case 'stream':
        return this.#reply.write(chunk);
      case 'events':
        return this.#events(chunk);
      default:
        return true;
    }
  }

  end(): void {
    if (this.#mode === 'buffer') this.#endBuffered();
    else if (this.#mode === 'stream') this.#finish(this.#plainEnding());
    else if (this.#mode === 'events') this.#endEvents();
  }

  fail(failure: UpstreamFailure): void {
    if (this.#mode === 'over') return;
    const refusal = {
      refused: true,
      code: failure.code,
      message: 'The MCP server behind the gateway does not answer',
      detail: failure.detail,
    } as const;
    const started = this.#mode === 'stream' || this.#mode === 'events';
    const own = answerTo(refusal, this.#call);
    this.#over({
      result: 'error',
      reason: failure.code,
      detail: failure.detail,
      status: started ? null : own.status,
    });
    if (started) {
      this.#reply.cut();
    } else {
      this.#reply.start(own.status, { ...own.headers, 'content-length': String(own.body.length) });
      this.#reply.end(own.body);
    }
  }

  keepAlive(): void {
    if (this.#mode !== 'events') return;
    if (this.#quiet && this.#betweenLines) this.#reply.write(comment);
    this.#quiet = true;
  }

  /** Shutdown: the client sees an orderly end of the stream. */
  close(): void {
    if (this.#mode !== 'events') return;
    this.#exchange?.abort();
    this.#finish({
      result: 'success',
      reason: 'ok',
      detail: 'ended by shutdown',
      status: this.#head?.status ?? 200,
    });
  }

  #gone(): void {
    if (this.#mode === 'over') return;
    this.#exchange?.abort();
    this.#over({ ...cancelled, status: this.#head?.status ?? null });
  }

  #buffer(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size <= bufferedBytes) return true;
    if (this.#isList) {
      if (this.#size > maxListBytes) this.#unreadable('the tool list is too large');
      return true;
    }
    if (this.#head) this.#openStream(this.#head);
    const held = this.#chunks;
    this.#chunks = [];
    return held.map((part) => this.#reply.write(part)).every(Boolean);
  }

  #endBuffered(): void {
    const head = this.#head;
    if (!head) return;
    const body = Buffer.concat(this.#chunks, this.#size);
    const json = body.length > 0 ? parsed(body.toString('utf8')) : undefined;
    const sent = this.#isList && head.status < 300 ? this.#viewOfList(json) : body;
    if (sent === null) {
      this.#unreadable('the answer to tools/list cannot be read');
      return;
    }
    this.#over(endingOf(json, head.status));
    const length = sent.length === 0 && head.status === 202 ? {} : { 'content-length': String(sent.length) };
    this.#reply.start(head.status, { ...this.#headers(head), ...length });
    this.#reply.end(sent);
  }

  #viewOfList(json: Json | undefined): Buffer | null {
    const view = json === undefined ? null : viewOfToolList(json, this.#call);
    return view && Buffer.from(JSON.stringify(view));
  }

  #openStream(head: AnswerHead): void {
    this.#mode = 'stream';
    const length = head.contentLength === null ? {} : { 'content-length': String(head.contentLength) };
    this.#reply.start(head.status, { ...this.#headers(head), ...length });
  }

  #openEvents(head: AnswerHead): void {
    this.#mode = 'events';
    this.#splitter = new EventSplitter(maxEventBytes);
    this.#runtime.streams.add(this);
    this.#reply.start(head.status, { ...this.#headers(head), 'x-accel-buffering': 'no' });
  }

  #events(chunk: Buffer): boolean {
    this.#quiet = false;
    const events = this.#splitter?.push(chunk) ?? null;
    if (events === null) {
      // Too large to read: a call's stream goes on unread, a list's cannot.
      this.#splitter = null;
      if (this.#isList) this.#unreadable('an event of the tool list is too large');
      return this.#isList || this.#write(chunk);
    }
    if (!this.#isList) {
      for (const event of events) this.#notice(event);
      return this.#write(chunk);
    }
    return events.map((event) => this.#write(this.#viewOfEvent(event))).every(Boolean);
  }

  #write(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    this.#betweenLines = chunk[chunk.length - 1] === newline;
    return this.#reply.write(chunk);
  }

  /** Remembers how the call ended, from the event that is its response. */
  #notice(event: Buffer): void {
    const data = eventData(event);
    const json = data === null ? undefined : parsed(data);
    if (isObject(json) && !('method' in json)) this.#ending = endingOf(json, 200);
  }

  #viewOfEvent(event: Buffer): Buffer {
    this.#notice(event);
    const data = eventData(event);
    if (data === null || data === '') return event;
    const json = parsed(data);
    const view = json === undefined ? null : viewOfToolList(json, this.#call);
    return view === null ? Buffer.alloc(0) : withEventData(event, JSON.stringify(view));
  }

  #endEvents(): void {
    const rest = this.#splitter?.rest() ?? Buffer.alloc(0);
    if (this.#isList && rest.length > 0) this.#write(this.#viewOfEvent(rest));
    this.#finish(this.#plainEnding());
  }

  #plainEnding(): Ending {
    return this.#ending ?? endingOf(undefined, this.#head?.status ?? 200);
  }

  #finish(ending: Ending): void {
    this.#over(ending);
    this.#reply.end();
  }

  #unreadable(detail: string): void {
    this.#exchange?.abort();
    this.fail({ code: 'upstream_invalid', detail });
  }

  /** The record is written before the last byte is, on every way out. */
  #over(ending: Ending): void {
    this.#mode = 'over';
    this.#chunks = [];
    this.#runtime.streams.delete(this);
    this.#record.close(ending);
    this.#call.release();
  }

  #headers(head: AnswerHead): Record<string, string> {
    const headers: Record<string, string> = { ...baseHeaders(this.#call), ...head.headers };
    if (head.contentType) headers['content-type'] = head.contentType;
    if (head.session !== null && this.#call.era === 'legacy') {
      const owner = { server: this.#call.server.name, principal: this.#call.principal.key };
      headers['mcp-session-id'] = this.#runtime.sessions.seal(owner, head.session);
    }
    return headers;
  }
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** @param json the JSON-RPC response, if one could be read */
function endingOf(json: Json | undefined, status: number): Ending {
  const response = isObject(json) ? json : {};
  const error = response['error'];
  if (isObject(error)) {
    const code = typeof error['code'] === 'number' ? `code ${error['code']}` : null;
    return { result: 'error', reason: 'rpc_error', detail: code, status };
  }
  const result = response['result'];
  if (isObject(result) && result['isError'] === true) {
    return { result: 'error', reason: 'tool_error', detail: null, status };
  }
  if (status >= 400)
    return { result: 'error', reason: 'upstream_invalid', detail: `status ${status}`, status };
  return { result: 'success', reason: 'ok', detail: null, status };
}
