import { type Clock, messageOf, readJson } from '../base/index.ts';
import type { OutboundExchange } from '../outbound/index.ts';

export interface VisitRequest {
  readonly method: 'GET' | 'POST' | 'OPTIONS';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer, or why there is none. Everything but `ms` is the server's word. */
export interface Visited {
  readonly method: string;
  readonly url: string;
  /** 0: no answer. */
  readonly status: number;
  readonly headers: Headers;
  /** The body, where it is a JSON object. */
  readonly document: Readonly<Record<string, unknown>> | null;
  readonly ms: number;
  readonly failure: string | null;
}

export type Visit = (request: VisitRequest) => Promise<Visited>;

export interface VisitorOptions {
  readonly exchange: (wanted: OutboundExchange) => Promise<Response>;
  readonly trust: OutboundExchange['trust'];
  readonly clock: Clock;
}

const timeoutMs = 10_000;
const maxBytes = 256 * 1024;
/** Of all visits together: a server that answers slowly, or sends us on and on, ends here. */
const budget = { ms: 60_000, visits: 40 } as const;

/** Asks each thing once, however many clients would. No token, no cookie, no redirect. */
export function createVisitor({ exchange, trust, clock }: VisitorOptions): Visit {
  const started = clock.monotonic();
  const seen = new Map<string, Promise<Visited>>();
  const ask = async (request: VisitRequest): Promise<Visited> => {
    const before = clock.monotonic();
    const { method, url, headers = {}, body } = request;
    const answered = (rest: Pick<Visited, 'status' | 'headers' | 'document' | 'failure'>): Visited => ({
      method,
      url,
      ms: Math.round(clock.monotonic() - before),
      ...rest,
    });
    try {
      if (seen.size > budget.visits || before - started > budget.ms) throw new Error('took too long');
      const wanted = { url, method, headers, trust, timeoutMs, maxBytes };
      const answer = await exchange(body === undefined ? wanted : { ...wanted, body });
      const document = objectOf(await answer.text());
      return answered({ status: answer.status, headers: answer.headers, document, failure: null });
    } catch (error) {
      const failure =
        error instanceof Error && error.name === 'TimeoutError' ? 'no answer in 10 s' : messageOf(error);
      return answered({ status: 0, headers: new Headers(), document: null, failure });
    }
  };
  return (request) => {
    const key = JSON.stringify(request);
    const known = seen.get(key) ?? ask(request);
    seen.set(key, known);
    return known;
  };
}

function objectOf(text: string): Visited['document'] {
  try {
    const value: unknown = readJson(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
