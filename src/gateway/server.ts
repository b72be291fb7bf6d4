import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, DropArgument, Socket } from 'node:net';
import { OperationError } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { plain } from './peer.ts';
import type { Refusals } from './refusals.ts';
import { clientCertificateOptions, readTls } from './tls.ts';

/** Bounds on what a connection may take before a whole request has come. Answers may last as long as they like. */
const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 15_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  // Refused in front.ts, where it is recorded: node:http would answer it on its own.
  requireHostHeader: false,
} as const;
const maxConnections = 20_000;

export interface Listening {
  readonly server: Server | TlsServer;
  readonly port: number;
}

/** Opens the port. `refusals` hears of all that node:http would turn away without a word to anybody. */
export async function listen(
  config: Pick<Config, 'listen' | 'tls' | 'http'>,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  refusals: Refusals,
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
  server.on('checkExpectation', listener); // RFC 9110 section 10.1.1: what is expected may be ignored, and is then a request like any
  refuseMalformed(server, refusals);
  await opened(server, config.listen);
  return { server, port: (server.address() as AddressInfo).port };
}

/** What the parser gives up on is recorded, then answered. */
export function refuseMalformed(server: Listening['server'], refusals: Refusals): void {
  const refused = new WeakSet<Socket>();
  const refuse = (code: string, socket: Socket): void => {
    if (refused.has(socket)) return; // what comes after it is no more HTTP than what came
    refused.add(socket);
    if (isGone(code, socket)) socket.destroy();
    else void refusals.malformed(addressOf(socket), code).then(() => refuseConnection(code, socket));
  };
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
    refuse(error.code ?? 'unknown', socket),
  );
  server.on('connect', (_request, socket: Socket) => {
    socket.on('error', () => socket.destroy()); // node:http has let go of it
    refuse('CONNECT', socket);
  });
  server.on('drop', (connection?: DropArgument) => {
    const address = plain(connection?.remoteAddress ?? '');
    void refusals.request({ address, status: null, reason: 'too_many_connections' });
  });
}

/** Nobody is left to be refused anything, or nothing was ever asked: a client's spare connection. */
function isGone(code: string, socket: Socket): boolean {
  return code === 'ECONNRESET' || (code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0);
}

const addressOf = (socket: Socket): string => plain(socket.remoteAddress ?? '');

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
  CONNECT: '405 Method Not Allowed',
};

/** The parser gave up: what came has no one reading as HTTP. The answer is the same shape as any other refusal. */
function refuseConnection(code: string, socket: Socket): void {
  // A handshake that failed has read nothing, and no answer could be read.
  if (!socket.writable || socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  const status = statusOf[code] ?? '400 Bad Request';
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: null,
    error: { code: -32600, message: 'The request is not valid HTTP', data: { reason: 'malformed_request' } },
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
