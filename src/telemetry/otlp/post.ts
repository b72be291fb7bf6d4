import { type Clock, readJson, type Secret } from '../../base/index.ts';
import { type Outbound, retryAfterMs, revealed } from '../../outbound/index.ts';

/** A collector, as the operator names it. */
export interface Collector {
  readonly url: string;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly timeoutMs: number;
}

export interface PostMeans {
  readonly outbound: Outbound;
  readonly clock: Clock;
}

/** What became of one request. Rejections of `postOtlp` (no connection, timeout) may be tried again. */
export type Posted =
  | { readonly taken: true; readonly body: string }
  /** `retry`: whether it may be sent again, after `afterMs` where the collector said when. */
  | {
      readonly taken: false;
      readonly retry: boolean;
      readonly afterMs: number | null;
      readonly message: string;
    };

/** OTLP 1, section "Failures": these alone may be tried again. A redirect is none of them, and is not followed. */
const retryable: readonly number[] = [429, 502, 503, 504];

/** One request of OTLP/HTTP in the JSON encoding, by the guarded way out. */
export async function postOtlp(
  { url, headers, timeoutMs }: Collector,
  request: object,
  { outbound, clock }: PostMeans,
): Promise<Posted> {
  const answer = await outbound.exchange({
    url,
    trust: 'configured',
    method: 'POST',
    headers: { ...revealed(headers), 'content-type': 'application/json' },
    body: JSON.stringify(request),
    timeoutMs,
    maxBytes: 64 * 1024,
  });
  if (answer.ok) return { taken: true, body: await answer.text() };
  return {
    taken: false,
    retry: retryable.includes(answer.status),
    afterMs: retryAfterMs(answer.headers.get('retry-after'), clock.now()),
    message: `${new URL(url).host} answered with status ${answer.status}`,
  };
}

/**
 * `partialSuccess`: how many the collector turned away for good; they must not be sent again.
 * @param member `rejectedSpans`, `rejectedDataPoints` or `rejectedLogRecords`
 */
export function rejectedIn(body: string, member: string, most: number): number {
  try {
    const { partialSuccess } = readJson(body) as { partialSuccess?: Record<string, unknown> };
    const rejected = Number(partialSuccess?.[member] ?? 0); // int64: a string in proto3 JSON
    return Number.isInteger(rejected) ? Math.min(Math.max(rejected, 0), most) : 0;
  } catch {
    return 0; // no JSON: nothing was said of any that were turned away
  }
}

/** `/v1/traces` and the like below the URL of a collector, as OpenTelemetry's own exporters do. */
export function signalUrl(base: string, signal: 'traces' | 'metrics'): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/${signal}`;
  return url.href;
}
