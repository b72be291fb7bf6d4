import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly id: string;
  readonly body: string;
  readonly isGenuine: boolean;
  readonly alert: {
    readonly type: string;
    readonly timestamp: string;
    readonly data: Record<string, unknown>;
  };
}

export interface Receiver {
  readonly url: string;
  /** What came and was taken. */
  readonly taken: readonly Received[];
  /** Attempts, whatever was answered. */
  readonly attempts: readonly Received[];
  /** Statuses of the next answers; 204 after them. */
  answerWith(...statuses: number[]): void;
  stop(): Promise<void>;
}

/** A receiver that checks the signature as any library for Standard Webhooks does. */
export async function startReceiver(secret: string): Promise<Receiver> {
  const taken: Received[] = [];
  const attempts: Received[] = [];
  let statuses: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const header = (name: string) => String(request.headers[name] ?? '');
      const signed = `${header('webhook-id')}.${header('webhook-timestamp')}.${body}`;
      const due = Buffer.from(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`);
      const given = Buffer.from(header('webhook-signature'));
      const isGenuine = due.length === given.length && timingSafeEqual(due, given);
      const one = { id: header('webhook-id'), body, isGenuine, alert: JSON.parse(body) };
      attempts.push(one);
      const status = statuses.shift() ?? 204;
      if (status < 300) taken.push(one);
      response.writeHead(status);
      response.end('CANARY-what-a-receiver-says');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    taken,
    attempts,
    answerWith(...next) {
      statuses = next;
    },
    stop: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}
