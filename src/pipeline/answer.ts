import type { ResultHash } from '../audit/index.ts';
import type { Refusal } from '../base/index.ts';
import type { Principal } from '../identity/index.ts';
import { type Json, parseUpstreamJson } from '../protocol/index.ts';
import type { AnswerHead, AnswerSink, Exchange, UpstreamFailure } from '../upstream/index.ts';
import type { ClearedCall } from './call.ts';
import type { CallRecord, Ending } from './call-record.ts';
import type { CallInFlight } from './calls-in-flight.ts';
import { endingOf, isResponseTo } from './ending.ts';
import { EventRelay, toolsChangedEvent } from './event-relay.ts';
import type { OpenStream } from './open-streams.ts';
import { answerTo, baseHeaders } from './outcome.ts';
import type { Reply } from './request.ts';
import { resultOf } from './result.ts';
import type { Runtime } from './runtime.ts';
import { viewOfMessage, viewOfToolList } from './tool-list-view.ts';

/** Up to here an answer is held back, read and sent at once; beyond, it streams. */
const bufferedBytes = 1024 * 1024;
/** A tool list is always read whole, because it is changed; a larger one is refused. */
const maxListBytes = 16 * 1024 * 1024;
const comment = Buffer.from(':\n\n');
/** What MCP answers with. Anything else reaches the client as text: no page of the upstream's is one of ours. */
const passedTypes: ReadonlySet<string> = new Set(['application/json', 'text/event-stream']);

const cancelled: Ending = {
  result: 'cancelled',
  reason: 'cancelled',
  detail: 'the client went away',
  status: null,
};

/**
 * Passes one answer of the upstream to the client, notes how it ended before its last byte leaves, and changes one thing only: tool
 * lists, to what this caller may see.
 */
export class Answer implements AnswerSink, OpenStream, CallInFlight {
  readonly standing: boolean;
  readonly server: string;
  readonly principal: Principal;
  readonly call: ClearedCall;
  readonly #reply: Reply;
  readonly #record: CallRecord;
  readonly #runtime: Runtime;
  readonly #isList: boolean;
  #exchange: Exchange | null = null;
  #head: AnswerHead | null = null;
  #mode: 'waiting' | 'buffer' | 'stream' | 'events' | 'over' = 'waiting';
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes of the upstream's answer. */
  #received = 0;
  #relay: EventRelay | null = null;
  /** Of what was sent on; null before anything was. */
  #hash: ResultHash | null = null;
  #quiet = true;
  /** The client has not taken what was written last. */
  #behind = false;

  constructor(call: ClearedCall, parts: { reply: Reply; record: CallRecord; runtime: Runtime }) {
    this.call = call;
    this.#reply = parts.reply;
    this.#record = parts.record;
    this.#runtime = parts.runtime;
    this.#isList = call.operation.kind === 'tools';
    this.server = call.server.name;
    this.principal = call.principal;
    this.standing = call.httpMethod === 'GET' || call.operation.kind === 'listen';
  }

  /**
   * Starts the exchange that this is the answer of, unless the client has gone already: nobody would learn what the call did. A
   * client that goes away later ends the upstream request.
   */
  open(start: () => Exchange): void {
    this.#reply.onGone(() => this.#gone());
    if (this.#mode === 'over') return;
    this.#runtime.inFlight.add(this);
    const exchange = start();
    this.#exchange = exchange;
    this.#reply.onDrain(() => {
      this.#behind = false;
      exchange.resume();
    });
  }

  head(head: AnswerHead): void {
    this.#head = head;
    if (head.contentType === 'text/event-stream') this.#openEvents(head);
    else if (!this.#isList && (head.contentLength ?? 0) > bufferedBytes) this.#openStream(head);
    else this.#mode = 'buffer';
  }

  data(chunk: Buffer): boolean {
    this.#received += chunk.length;
    switch (this.#mode) {
      case 'buffer':
        return this.#buffer(chunk);
      case 'stream':
        return this.#send(chunk);
      case 'events':
        return this.#events(chunk);
      default:
        return true;
    }
  }

  end(): void {
    if (this.#mode === 'buffer') this.#endBuffered();
    else if (this.#mode === 'stream') this.#finish(endingOf(undefined, this.#head?.status ?? 200));
    else if (this.#mode === 'events') this.#endEvents();
  }

  fail({ code, message, detail }: UpstreamFailure): void {
    const told = message ?? 'The MCP server behind the gateway does not answer';
    this.#refuse({ refused: true, code, message: told, detail });
  }

  refuse(refusal: Refusal): void {
    this.#exchange?.abort();
    this.#refuse(refusal);
  }

  #refuse(refusal: Refusal): void {
    if (this.#mode === 'over') return;
    const started = this.#mode === 'stream' || this.#mode === 'events';
    const own = answerTo(refusal, this.call);
    const { code: reason, detail = null } = refusal;
    this.#over({ result: resultOf(refusal), reason, detail, status: started ? null : own.status });
    if (started) {
      this.#reply.cut();
    } else {
      this.#reply.start(own.status, { ...own.headers, 'content-length': String(own.body.length) });
      this.#reply.end(own.body);
    }
  }

  keepAlive(): void {
    if (this.#mode !== 'events') return;
    if (this.#quiet && !this.#behind && this.#relay?.isBetweenEvents) this.#reply.write(comment);
    this.#quiet = true;
  }

  toolsChanged(): void {
    if (this.#mode !== 'events' || !this.#relay?.isBetweenEvents) return;
    const event = toolsChangedEvent(this.call, this.#relay.hasBegun);
    if (event !== null) this.#behind = !this.#reply.write(event);
  }

  /** Shutdown: a stream that was only listened to ends in order; an answer that is not whole is cut. */
  close(): void {
    if (this.#mode !== 'events') return;
    this.#exchange?.abort();
    if (!this.standing) {
      this.fail({ code: 'shutting_down', detail: 'cut by shutdown' });
      return;
    }
    this.#finish({
      result: 'success',
      reason: 'ok',
      detail: 'ended by shutdown',
      status: this.#head?.status ?? 200,
    });
  }

  revoke(): void {
    if (this.#mode === 'over') return;
    this.#exchange?.abort();
    const detail = 'the token was revoked while the stream was open';
    this.#over({
      result: 'denied_auth',
      reason: 'token_revoked',
      detail,
      status: this.#head?.status ?? null,
    });
    this.#reply.cut();
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
    return held.map((part) => this.#send(part)).every(Boolean);
  }

  #endBuffered(): void {
    const head = this.#head;
    if (!head) return;
    const body = Buffer.concat(this.#chunks, this.#size);
    const json = body.length > 0 ? parseUpstreamJson(body.toString('utf8')) : undefined;
    const unreadable = this.#unreadableBody(json, head.status);
    const sent = unreadable ? null : this.#viewOf(body, json);
    if (sent === null) {
      this.#unreadable(unreadable ?? 'the answer to tools/list cannot be read');
      return;
    }
    this.#count(sent);
    this.#runtime.tasks.note(this.call, json);
    this.#over(endingOf(json, head.status));
    const length = sent.length === 0 ? {} : { 'content-length': String(sent.length) };
    this.#reply.start(head.status, { ...this.#headers(head), ...length });
    this.#reply.end(sent);
  }

  /** A request is answered by a response. Errors of HTTP may say anything. */
  #unreadableBody(json: Json | undefined, status: number): string | null {
    const { message } = this.call;
    if (status >= 300 || message?.kind !== 'request' || isResponseTo(message, json)) return null;
    return 'the answer is no JSON-RPC response to the request';
  }

  #viewOf(body: Buffer, json: Json | undefined): Buffer | null {
    if (json === undefined) return body;
    const isList = this.#isList && (this.#head?.status ?? 0) < 300;
    const view = isList ? viewOfToolList(json, this.call) : viewOfMessage(json, this.call);
    if (view === json && !isList) return body;
    return view === null ? null : Buffer.from(JSON.stringify(view));
  }

  #openStream(head: AnswerHead): void {
    this.#mode = 'stream';
    const length = head.contentLength === null ? {} : { 'content-length': String(head.contentLength) };
    this.#reply.start(head.status, { ...this.#headers(head), ...length });
  }

  #openEvents(head: AnswerHead): void {
    this.#mode = 'events';
    this.#relay = new EventRelay(this.call, this.#runtime);
    this.#runtime.streams.add(this);
    this.#reply.start(head.status, { ...this.#headers(head), 'x-accel-buffering': 'no' });
  }

  #events(chunk: Buffer): boolean {
    this.#quiet = false;
    return this.#pass(this.#relay?.push(chunk) ?? null);
  }

  #pass(events: Buffer | null): boolean {
    if (events === null) this.#unreadable('an event that may hold a tool list cannot be read');
    if (events === null || events.length === 0) return true;
    this.#behind = !this.#send(events);
    return !this.#behind;
  }

  #endEvents(): void {
    this.#pass(this.#relay?.rest() ?? null);
    if (this.#mode === 'events') this.#finish(this.#endingOfEvents());
  }

  #endingOfEvents(): Ending {
    const status = this.#head?.status ?? 200;
    const noted = this.#relay?.ending;
    if (noted) return { ...noted, status };
    const plain = endingOf(undefined, status);
    if (this.standing || this.call.message?.kind !== 'request') return plain;
    const detail = 'the stream ended before the response';
    // Up to 2025-11-25 the client may come back for the rest (basic/transports, "Resumability").
    if (this.call.era === 'legacy') return { ...plain, detail: plain.detail ?? detail };
    return { result: 'error', reason: 'upstream_invalid', detail, status };
  }

  /** Bytes of the server's, or what was made of them; comments and notices of ours are no part of the result. */
  #send(bytes: Buffer): boolean {
    this.#count(bytes);
    return this.#reply.write(bytes);
  }

  #count(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#hash ??= this.#record.resultHash();
    this.#hash?.update(bytes);
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
    this.#runtime.inFlight.delete(this);
    const resultHash = this.#hash?.digest() ?? null;
    this.#hash = null;
    this.#record.close({ ...ending, resultBytes: this.#head ? this.#received : null, resultHash });
    this.call.release();
  }

  #headers(head: AnswerHead): Record<string, string> {
    const headers: Record<string, string> = { ...baseHeaders(this.call), ...head.headers };
    if (head.contentType) {
      headers['content-type'] = passedTypes.has(head.contentType) ? head.contentType : 'text/plain';
    }
    if (head.session !== null && this.call.era === 'legacy') {
      const owner = { server: this.call.server.name, principal: this.call.principal.key };
      headers['mcp-session-id'] = this.#runtime.sessions.seal(owner, head.session);
    }
    return headers;
  }
}
