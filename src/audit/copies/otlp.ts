import type { Clock, Secret } from '../../base/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import { postOtlp, rejectedIn } from '../../telemetry/index.ts';
import { Busy, type CopyTarget, Undeliverable } from './copy.ts';
import { otlpRequest } from './otlp-records.ts';

export interface OtlpCopyOptions {
  /** Of the collector; `/v1/logs` is added where the URL has no path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly timeoutMs: number;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

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
      const request = otlpRequest(items, clock.now());
      const posted = await postOtlp({ url, headers, timeoutMs }, request, { outbound, clock });
      if (posted.taken) return rejectedIn(posted.body, 'rejectedLogRecords', items.length);
      if (!posted.retry) throw new Undeliverable(posted.message);
      throw new Busy(posted.message, posted.afterMs);
    },
    close: async () => {},
  };
}

function logsUrl(configured: string): string {
  const url = new URL(configured);
  if (url.pathname === '/') url.pathname = '/v1/logs';
  return url.href;
}
