import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { queryAudit, type StoredEvent } from '../../../src/audit/index.ts';
import { Secret } from '../../../src/base/index.ts';
import type { AuditCopyConfig } from '../../../src/config/index.ts';
import { createOutbound } from '../../../src/outbound/index.ts';
import { openTrailFor } from '../support.ts';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A receiver on loopback that answers as told, from the first request on; the last answer stays. */
export async function receiver(
  t: TestContext,
  answers: Answer[],
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      response.writeHead(answer?.status ?? 200, answer?.headers);
      response.end(answer?.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

/** A trail with one copy. */
export async function trailWith(
  t: TestContext,
  dataDir: string,
  config: Partial<AuditCopyConfig> & Pick<AuditCopyConfig, 'kind'>,
) {
  const outbound = createOutbound();
  const full = { ...defaults[config.kind], ...config } as AuditCopyConfig;
  const means = { outbound, writeOut: () => Promise.reject(new Error('no output in this test')) };
  const trail = await openTrailFor(t, dataDir, { closeWithinMs: 500, copies: { configs: [full], means } });
  t.after(async () => {
    await trail.close();
    await outbound.close();
  });
  return trail;
}

const common = { overflow: 'drop', queueRecords: 20_000 } as const;
const defaults = {
  file: { ...common, fsync: 'always', maxBytes: 1_000_000, maxAgeMs: null, keepFiles: null },
  stdout: common,
  otlp: { ...common, headers: {}, timeoutMs: 2_000 },
  webhook: { ...common, headers: {}, timeoutMs: 2_000, records: 100, secret: new Secret('whsec_c2VjcmV0') },
} as const;

/** Events of this name that the trail holds. */
export function eventsNamed(dataDir: string, name: string): StoredEvent[] {
  return [...queryAudit(dataDir, { events: true, order: 'oldest' })].filter(
    (entry): entry is StoredEvent => entry.phase === 'event' && entry.event === name,
  );
}
