import type { Clock, Secret } from '../../base/index.ts';
import { type Outbound, retryAfterMs, revealed, signWebhook } from '../../outbound/index.ts';
import { Busy, type Copied, type CopyTarget, Undeliverable } from './copy.ts';

export interface WebhookCopyOptions {
  readonly url: string;
  readonly secret: Secret;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly records: number;
  readonly timeoutMs: number;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

/** Statuses that speak of this body: sending it again would give the same. All others are tried again. */
const hopeless: readonly number[] = [400, 413, 422];

/** Signed batches over HTTPS. A batch keeps its id and its bytes over all attempts: the receiver can tell repeats. */
export function webhookCopy(options: WebhookCopyOptions): CopyTarget {
  const { url, secret, headers, outbound, clock, timeoutMs } = options;
  const { host } = new URL(url);
  return {
    kind: 'webhook',
    place: host,
    most: { records: options.records, bytes: 512 * 1024 },
    async deliver(items) {
      const delivery = { id: idOf(items), body: bodyOf(items), now: clock.now() };
      const answer = await outbound.exchange({
        url,
        trust: 'configured',
        method: 'POST',
        headers: {
          ...revealed(headers),
          'content-type': 'application/json',
          ...signWebhook(delivery, secret),
        },
        body: delivery.body,
        timeoutMs,
        maxBytes: 64 * 1024,
      });
      if (answer.ok) return 0;
      const message = `${host} answered with status ${answer.status}`;
      if (hopeless.includes(answer.status)) throw new Undeliverable(message);
      throw new Busy(message, retryAfterMs(answer.headers.get('retry-after'), clock.now()));
    },
    close: async () => {},
  };
}

/** Positions never repeat within a writer, so neither does this, and a second attempt says the same. */
function idOf(items: readonly Copied[]): string {
  const [first, last] = [items[0], items.at(-1)];
  return `audit_${first?.writer}_${first?.entry.position}-${last?.entry.position}`;
}

function bodyOf(items: readonly Copied[]): string {
  const records = items.map(({ text }) => text).join(',');
  const timestamp = JSON.stringify(items[0]?.entry.record.timestamp ?? null);
  return `{"type":"audit.records","timestamp":${timestamp},"data":{"records":[${records}]}}`;
}
