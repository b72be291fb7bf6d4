import { EventSplitter, eventData, isObject, type JsonObject, parseUpstreamJson } from '../protocol/index.ts';
import type {
  AnswerHead,
  AnswerSink,
  Exchange,
  Upstream,
  UpstreamFailure,
  UpstreamRequest,
} from './upstream.ts';

const maxBytes = 16 * 1024 * 1024;
/** An answer that takes longer is none: calls wait for the tool list when a name is unknown. */
const maxMs = 15_000;

export interface WholeAnswer {
  readonly head: AnswerHead;
  /** The JSON-RPC response; null where there is none, such as a 202. */
  readonly message: JsonObject | null;
}

/** Asks an upstream something as the gateway itself and waits for the response, bounded in size and time. Rejects if none comes. */
export function askUpstream(upstream: Upstream, request: UpstreamRequest): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(resolve, reject);
    collector.bind(upstream.exchange(request, collector));
  });
}

/** Takes an answer together. Everything in it is the upstream's word. */
class Collector implements AnswerSink {
  readonly #resolve: (answer: WholeAnswer) => void;
  readonly #reject: (error: Error) => void;
  readonly #late: NodeJS.Timeout;
  readonly #splitter = new EventSplitter(maxBytes);
  readonly #chunks: Buffer[] = [];
  #exchange: Exchange | null = null;
  #head: AnswerHead | null = null;
  #size = 0;
  #over = false;

  constructor(resolve: (answer: WholeAnswer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#late = setTimeout(() => this.#giveUp('the upstream did not answer in time'), maxMs);
  }

  bind(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.#over) exchange.abort();
  }

  head(head: AnswerHead): void {
    this.#head = head;
  }

  data(chunk: Buffer): boolean {
    if (this.#over) return true;
    this.#size += chunk.length;
    if (this.#size > maxBytes) this.#giveUp('the answer of the upstream is too large');
    else if (this.#head?.contentType === 'text/event-stream') this.#events(this.#splitter.push(chunk) ?? []);
    else this.#chunks.push(chunk);
    return true;
  }

  end(): void {
    if (this.#head?.contentType === 'text/event-stream') this.#events([this.#splitter.rest()]);
    if (this.#over) return;
    this.#done(messageOf(Buffer.concat(this.#chunks).toString('utf8')));
  }

  fail({ code, detail }: UpstreamFailure): void {
    this.#giveUp(`${code}: ${detail}`);
  }

  /** The server may leave the stream open behind its response: only the response is waited for. */
  #events(events: readonly Buffer[]): void {
    for (const event of events) {
      const message = messageOf(eventData(event) ?? '');
      if (message === null || !('result' in message || 'error' in message)) continue;
      this.#exchange?.abort();
      this.#done(message);
      return;
    }
  }

  #done(message: JsonObject | null): void {
    if (this.#head === null) this.#giveUp('no answer');
    else if (this.#finish()) this.#resolve({ head: this.#head, message });
  }

  #giveUp(problem: string): void {
    this.#exchange?.abort();
    if (this.#finish()) this.#reject(new Error(problem));
  }

  /** @returns false if it was over already */
  #finish(): boolean {
    clearTimeout(this.#late);
    const first = !this.#over;
    this.#over = true;
    return first;
  }
}

function messageOf(text: string): JsonObject | null {
  const json = parseUpstreamJson(text);
  return isObject(json) ? json : null;
}
