import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestOptions,
  request as requestUpstream,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A loopback relay that adds a bearer token, for clients that cannot. */
export interface Injector {
  readonly origin: string;
  readonly port: number;
  /** Where requests go from now on, such as `http://127.0.0.1:4000`. */
  relayTo(origin: string): void;
  /** The token added from now on; none when undefined. */
  useToken(token: string | undefined): void;
  /** Exchanges under way. */
  open(): number;
  close(): Promise<void>;
}

/**
 * Passes each request on as it came — method, target, header case and order, Host and Origin, body bytes —
 * and each answer as it comes. A peer that goes takes the other side with it. Connection management
 * (RFC 9110 section 7.6.1) stays its own.
 */
export async function startInjector(options: { to?: string; token?: string } = {}): Promise<Injector> {
  let { to, token } = options;
  let open = 0;
  const agent = new Agent({ keepAlive: true });
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    open += 1;
    response.on('close', () => {
      open -= 1;
    });
    relay({ request, response, agent, to: to ?? 'http://127.0.0.1:9', token });
  });
  server.requestTimeout = 0;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    relayTo: (origin) => {
      to = origin;
    },
    useToken: (next) => {
      token = next;
    },
    open: () => open,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await closed;
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly agent: Agent;
  readonly to: string;
  readonly token: string | undefined;
}

function relay({ request, response, agent, to, token }: Exchange): void {
  const { hostname, port } = new URL(to);
  const upstream = requestUpstream({
    hostname,
    port,
    agent,
    method: request.method,
    path: request.url,
    headers: [...endToEnd(request.rawHeaders), ...authorization(request, token)],
  } as RequestOptions);
  upstream.on('response', (answer) => {
    response.sendDate = false;
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
    response.flushHeaders();
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  upstream.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.on('close', () => {
    if (!response.writableFinished) upstream.destroy();
  });
  request.on('error', () => upstream.destroy());
  request.pipe(upstream);
}

/** Flat names and values without those that concern one connection only. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!/^(connection|keep-alive)$/i.test(name)) kept.push(name, rawHeaders[at + 1] ?? '');
  }
  return kept;
}

/** A client that brings its own token keeps it: two Authorization headers are refused everywhere. */
function authorization(request: IncomingMessage, token: string | undefined): string[] {
  if (token === undefined || request.headers.authorization !== undefined) return [];
  return ['Authorization', `Bearer ${token}`];
}
