import type { AnswerHead, AnswerSink, Exchange, UpstreamFailure } from '../upstream.ts';

const streamHeaders = { 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };

/** Why an answer is over: `aborted` when the receiver left before its end. */
export type AnswerEnd = 'answered' | 'aborted';

/**
 * One answer on its way to a sink: a single JSON body, or an event stream from the first event on. Keeps at most
 * `queueBytes` for a receiver that is behind; then further events are refused, the last one never.
 */
export class Answer implements Exchange {
  readonly #sink: AnswerSink;
  readonly #queueBytes: number;
  readonly #queue: Buffer[] = [];
  readonly #listeners: ((end: AnswerEnd) => void)[] = [];
  #queued = 0;
  #paused = false;
  #ending = false;
  #streaming = false;
  #over: AnswerEnd | null = null;

  constructor(sink: AnswerSink, queueBytes: number) {
    this.#sink = sink;
    this.#queueBytes = queueBytes;
  }

  /** True as soon as nothing more can be said, even where the receiver has not read everything yet. */
  get isOver(): boolean {
    return this.#over !== null || this.#ending;
  }

  get isStreaming(): boolean {
    return this.#streaming;
  }

  /** Calls `listener` once, when the answer is complete or nobody wants it any more. */
  onOver(listener: (end: AnswerEnd) => void): void {
    if (this.#over) listener(this.#over);
    else this.#listeners.push(listener);
  }

  /** Gives the whole answer: one JSON body, or the last event of a stream that has begun. */
  finish(text: string, status = 200, session: string | null = null): void {
    if (this.isOver) return;
    if (this.#streaming) {
      this.#push(eventOf(text, null));
    } else {
      const body = Buffer.from(text);
      this.#head({ status, contentType: 'application/json', contentLength: body.length, session });
      this.#push(body);
    }
    this.#finish();
  }

  /** An answer without a body, such as 202 for a notification. */
  empty(status: number): void {
    if (this.isOver) return;
    this.#head({ status, contentType: '', contentLength: 0, session: null });
    this.#finish();
  }

  /** Begins the event stream, so that the receiver sees the head now. */
  stream(): void {
    if (this.#streaming || this.isOver) return;
    this.#streaming = true;
    this.#head({ status: 200, contentType: 'text/event-stream', contentLength: null, session: null });
  }

  /**
   * Sends one JSON text as an event, and begins the stream where needed.
   * @returns false where the receiver is too far behind or gone; then the event is lost
   */
  event(text: string, id: string | null = null): boolean {
    if (this.isOver || this.#queued > this.#queueBytes) return false;
    this.stream();
    this.#push(eventOf(text, id));
    return true;
  }

  /** A comment that keeps proxies from closing a silent stream. */
  comment(): void {
    if (this.#streaming && !this.isOver && !this.#paused) this.#push(keepAlive);
  }

  /** Ends a stream without a further event. */
  end(): void {
    if (!this.isOver) this.#finish();
  }

  fail(failure: UpstreamFailure): void {
    if (this.#over) return;
    this.#sink.fail(failure);
    this.#close('answered');
  }

  abort(): void {
    if (!this.#over) this.#close('aborted');
  }

  resume(): void {
    this.#paused = false;
    this.#flush();
  }

  #head(head: Omit<AnswerHead, 'headers'>): void {
    this.#sink.head({ ...head, headers: this.#streaming ? streamHeaders : {} });
  }

  #push(chunk: Buffer): void {
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    this.#flush();
  }

  #finish(): void {
    this.#ending = true;
    this.#flush();
  }

  #flush(): void {
    while (!this.#paused && !this.#over) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) break;
      this.#queued -= chunk.length;
      this.#paused = !this.#sink.data(chunk);
    }
    if (this.#ending && this.#queue.length === 0 && !this.#over) {
      this.#sink.end();
      this.#close('answered');
    }
  }

  #close(end: AnswerEnd): void {
    this.#over = end;
    this.#queue.length = 0;
    this.#queued = 0;
    for (const listener of this.#listeners.splice(0)) listener(end);
  }
}

const keepAlive = Buffer.from(': keep-alive\n\n');

function eventOf(text: string, id: string | null): Buffer {
  return Buffer.from(`event: message\n${id === null ? '' : `id: ${id}\n`}data: ${text}\n\n`);
}
