import { readJson } from '../base/index.ts';
import type { ProbeAnswer, ProbeRequest } from '../outbound/index.ts';

/** What was asked and what came. Everything below `answer` is the server's word: hostile until shown through `evidence.ts`. */
export interface Exchange {
  readonly request: Pick<ProbeRequest, 'method' | 'headers'> & {
    readonly url: string;
    readonly body: string | null;
  };
  /** 0: no answer. */
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly cut: ProbeAnswer['cut'];
  /** Why there was no answer. */
  readonly failure: string | null;
  readonly ms: number;
}

/** All values of a header, joined as HTTP joins them; null without it. */
export function headerOf(exchange: Exchange, name: string): string | null {
  const values = exchange.headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? null : values.join(', ');
}

/** The body, where it is a JSON object. */
export function documentOf(exchange: Exchange): Readonly<Record<string, unknown>> | null {
  const value = jsonOf(exchange.body);
  return isRecord(value) ? value : null;
}

export function jsonOf(text: string): unknown {
  try {
    return readJson(text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isSuccess({ status }: Exchange): boolean {
  return status >= 200 && status < 300;
}

/** The strings of what should be a list of strings. Bounded: a document may list a million. */
export function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.slice(0, 1000).filter((one) => typeof one === 'string') : [];
}
