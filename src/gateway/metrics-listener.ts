import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { equalInConstantTime, OperationError, type Secret } from '../base/index.ts';
import { prometheusType } from '../telemetry/index.ts';
import { isLoopbackHost } from './loopback.ts';
import { plain } from './peer.ts';
import type { Refusals } from './refusals.ts';
import { refuseMalformed } from './server.ts';

export interface MetricsListenerOptions {
  readonly host: string;
  readonly port: number;
  /** Null: anybody who reaches the address may read. */
  readonly token: Secret | null;
  readonly text: () => string;
  readonly refusals: Refusals;
}

/** Few and quick: who scrapes asks once in many seconds. */
const bounds = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  requireHostHeader: false,
} as const;
const maxConnections = 64;

/** `/metrics` at an address of its own: nothing of it can be asked for where clients come in. */
export async function listenForScrapes(options: MetricsListenerOptions): Promise<{ close(): Promise<void> }> {
  const server = createServer(bounds, (request, response) => {
    void answer(request, response, options);
  });
  server.on('checkExpectation', (request, response) => void answer(request, response, options));
  refuseMalformed(server, options.refusals);
  server.maxConnections = maxConnections;
  await opened(server, options);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: MetricsListenerOptions,
): Promise<void> {
  request.resume();
  const status = refusalOf(request, options);
  if (status !== null) {
    const { method, url: target, socket } = request;
    await options.refusals.request({ address: plain(socket.remoteAddress ?? ''), status, method, target });
    const challenge = status === 401 ? { 'www-authenticate': 'Bearer realm="metrics"' } : {};
    response.writeHead(status, { 'cache-control': 'no-store', 'content-length': '0', ...challenge }).end();
    return;
  }
  const text = options.text();
  response.writeHead(200, {
    'content-type': prometheusType,
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}

function refusalOf(request: IncomingMessage, { host, token }: MetricsListenerOptions): number | null {
  const { method, url, headers } = request;
  // A page in a browser of this machine could otherwise read it under a name that it points to 127.0.0.1.
  if (isLoopbackHost(host) && !isOwnName(headers.host)) return 403;
  if (headers.host === undefined) return 400;
  if (url !== '/metrics') return 404;
  if (method !== 'GET' && method !== 'HEAD') return 405;
  if (token === null) return null;
  const given = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  return equalInConstantTime(given, token.reveal()) ? null : 401;
}

function isOwnName(name: string | undefined): boolean {
  return name !== undefined && isLoopbackHost(name.replace(/:\d{1,5}$/, ''));
}

function opened(server: Server, { host, port }: MetricsListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is in use' : error.message;
      reject(
        new OperationError(`cannot listen for Prometheus on ${host}:${port}: ${why}`, {
          hint: 'name another port in telemetry.prometheus.listen',
        }),
      );
    });
    server.listen({ host, port }, resolve);
  });
}
