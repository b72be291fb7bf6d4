import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { OperationError } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { clientCertificateOptions, readTls } from './tls.ts';

/** Bounds on what a connection may take before a whole request has come. Answers may last as long as they like. */
const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 15_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
} as const;
const maxConnections = 20_000;

export interface Listening {
  readonly server: Server | TlsServer;
  readonly port: number;
}

/** Opens the port. `onMalformed` hears of what was no HTTP request at all, and says when that may be answered; it must not reject. */
export async function listen(
  config: Pick<Config, 'listen' | 'tls' | 'http'>,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  onMalformed: (address: string, code: string) => Promise<void>,
): Promise<Listening> {
  const options = { ...limits, keepAliveTimeout: config.http.keepAliveSeconds * 1000 };
  const listener: RequestListener = onRequest;
  const server = config.tls
    ? createTlsServer(
        { ...options, ...readTls(config.tls), ...clientCertificateOptions(config.tls) },
        listener,
      )
    : createServer(options, listener);
  server.maxConnections = maxConnections;
  const refused = new WeakSet<Socket>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (refused.has(socket)) return; // what comes after it is no more HTTP than what came
    refused.add(socket);
    void onMalformed(socket.remoteAddress ?? '', error.code ?? 'unknown').then(() =>
      refuseConnection(error, socket),
    );
  });
  await opened(server, config.listen);
  return { server, port: (server.address() as AddressInfo).port };
}

function opened(server: Server | TlsServer, { host, port }: Config['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE';
      reject(
        new OperationError(
          inUse ? `port ${port} on ${host} is in use` : `cannot listen on ${host}:${port}: ${error.message}`,
          {
            hint: 'name another port with --port, or listen.port in the configuration',
          },
        ),
      );
    });
    server.listen({ host, port }, resolve);
  });
}

const statusOf: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The parser gave up: what came has no one reading as HTTP. The answer is the same shape as any other refusal. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  // A connection on which nothing was ever asked (a client's spare one) gets no answer that its next request could be taken for.
  if (!socket.writable || error.code === 'ECONNRESET' || socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  const status = statusOf[error.code ?? ''] ?? '400 Bad Request';
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: null,
    error: { code: -32600, message: 'The request is not valid HTTP', data: { reason: 'malformed_request' } },
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
