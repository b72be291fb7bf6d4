import type { Clock, Secret } from '../../base/index.ts';
import { type Outbound, retryAfterMs } from '../../outbound/index.ts';
import { Busy, type Copied, type CopyTarget, Undeliverable } from './copy.ts';
import { otlpRequest } from './otlp-records.ts';
import { revealed } from './webhook.ts';

export interface OtlpCopyOptions {
  /** Of the collector; `/v1/logs` is added where the URL has no path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly timeoutMs: number;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

/** OTLP 1 section "Failures": these alone may be tried again. */
const retryable: readonly number[] = [429, 502, 503, 504];

/** OTLP/HTTP with the JSON encoding. */
export function otlpCopy(options: OtlpCopyOptions): CopyTarget {
  const { headers, timeoutMs, outbound, clock } = options;
  const url = logsUrl(options.url);
  const { host } = new URL(url);
  return {
    kind: 'otlp',
    place: host,
    most: { records: 512, bytes: 1024 * 1024 },
    async deliver(items) {
      const answer = await outbound.exchange({
        url,
        trust: 'configured',
        method: 'POST',
        headers: { ...revealed(headers), 'content-type': 'application/json' },
        body: JSON.stringify(otlpRequest(items, clock.now())),
        timeoutMs,
        maxBytes: 64 * 1024,
      });
      if (answer.ok) return rejectedOf(await answer.text(), items);
      const message = `${host} answered with status ${answer.status}`;
      if (!retryable.includes(answer.status)) throw new Undeliverable(message);
      throw new Busy(message, retryAfterMs(answer.headers.get('retry-after'), clock.now()));
    },
    close: async () => {},
  };
}

export function logsUrl(configured: string): string {
  const url = new URL(configured);
  if (url.pathname === '/') url.pathname = '/v1/logs';
  return url.href;
}

/** `partialSuccess`: some were turned away for good, and must not be sent again. */
function rejectedOf(body: string, items: readonly Copied[]): number {
  try {
    const { partialSuccess } = JSON.parse(body) as { partialSuccess?: { rejectedLogRecords?: unknown } };
    const rejected = Number(partialSuccess?.rejectedLogRecords ?? 0); // int64: a string in proto3 JSON
    return Number.isInteger(rejected) ? Math.min(Math.max(rejected, 0), items.length) : 0;
  } catch {
    return 0; // no JSON: nothing was said of records that were turned away
  }
}
