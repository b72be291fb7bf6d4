import { randomToken } from '../../base/index.ts';
import { requestText } from './envelope.ts';

/** A client's answer to a request of the server: JSON text of its `result` or `error`. */
export interface ClientAnswer {
  readonly isError: boolean;
  readonly raw: string;
}

export interface ClientQuestion {
  readonly method: string;
  /** JSON text. */
  readonly params: string | null;
  readonly timeoutMs: number;
  /** Hands the request to a stream of the session; false where none takes it. */
  send(text: string): boolean;
  /** Once. Null when the client did not answer in time or its session ended. */
  answered(answer: ClientAnswer | null): void;
}

/** Requests that wait for a legacy client, of one session. Ids are random: no other session can answer them. */
export class ClientRequests {
  readonly #limit: number;
  readonly #waiting = new Map<string, (answer: ClientAnswer | null) => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @returns the request's id towards the client, or null where it could not be asked: `answered` is not called. */
  ask(question: ClientQuestion): string | null {
    if (this.#waiting.size >= this.#limit) return null;
    const id = randomToken(16);
    if (!question.send(requestText(JSON.stringify(id), question.method, question.params))) return null;
    const timer = setTimeout(() => this.answer(id, null), question.timeoutMs);
    this.#waiting.set(id, (answer) => {
      clearTimeout(timer);
      question.answered(answer);
    });
    return id;
  }

  /** @returns false where nobody waits for this id */
  answer(id: unknown, answer: ClientAnswer | null): boolean {
    const waiting = typeof id === 'string' ? this.#waiting.get(id) : undefined;
    if (waiting === undefined) return false;
    this.#waiting.delete(id as string);
    waiting(answer);
    return true;
  }

  /** Forgets a request that the server no longer wants answered. */
  withdraw(id: string): void {
    this.answer(id, null);
  }

  end(): void {
    for (const id of [...this.#waiting.keys()]) this.answer(id, null);
  }
}
