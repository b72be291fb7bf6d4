import type { Answer } from './answer.ts';

interface StreamEvent {
  readonly id: number;
  readonly text: string;
}

/**
 * The event stream of one legacy session (its GET), with a bounded memory for `Last-Event-ID` and for the time when
 * no stream is open. Streams that answer a POST carry no ids and are not resumed.
 */
export class SessionStream {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  #answer: Answer | null = null;
  #events: StreamEvent[] = [];
  #bytes = 0;
  #lastId = 0;
  #delivered = 0;

  constructor(limits: { replayEvents: number; replayBytes: number }) {
    this.#maxEvents = limits.replayEvents;
    this.#maxBytes = limits.replayBytes;
  }

  get isOpen(): boolean {
    return this.#answer !== null;
  }

  /**
   * Makes `answer` the session's stream; an earlier one is ended.
   * @param lastEventId header of the client, believed only as a position in this session's own events
   */
  open(answer: Answer, lastEventId: string | undefined): void {
    this.#answer?.end();
    this.#answer = answer;
    answer.onOver(() => {
      if (this.#answer === answer) this.#answer = null;
    });
    answer.stream();
    answer.comment();
    const seen = lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : null;
    for (const event of this.#events) {
      if (event.id > (seen ?? this.#delivered)) this.#deliver(event);
    }
  }

  /**
   * Sends a notification, now or when the stream opens.
   * @param once leave it out where the same text already waits
   * @returns true where it went out now
   */
  send(text: string, once = false): boolean {
    if (
      once &&
      !this.#answer &&
      this.#events.some((event) => event.id > this.#delivered && event.text === text)
    ) {
      return false;
    }
    this.#lastId += 1;
    const event = { id: this.#lastId, text };
    this.#remember(event);
    return this.#deliver(event);
  }

  close(): void {
    this.#answer?.end();
    this.#answer = null;
    this.#events = [];
    this.#bytes = 0;
  }

  #deliver(event: StreamEvent): boolean {
    const answer = this.#answer;
    if (!answer) return false;
    if (answer.event(event.text, String(event.id))) {
      this.#delivered = Math.max(this.#delivered, event.id);
      return true;
    }
    // too far behind: the client comes back with Last-Event-ID
    answer.end();
    return false;
  }

  #remember(event: StreamEvent): void {
    this.#events.push(event);
    this.#bytes += event.text.length;
    while (this.#events.length > this.#maxEvents || this.#bytes > this.#maxBytes) {
      const oldest = this.#events.shift();
      if (oldest === undefined) break;
      this.#bytes -= oldest.text.length;
    }
  }
}
