import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request as the hostile server saw it. */
export interface Seen {
  readonly httpMethod: string;
  readonly headers: IncomingMessage['headers'];
  readonly message: { id?: number | string; method?: string; params?: Record<string, unknown> };
  /** The peer closed before the answer was whole. */
  aborted: boolean;
}

export interface HostileUpstream {
  readonly url: string;
  /** What came from callers: the gateway's own reading of the tool list is not in it. */
  readonly seen: Seen[];
  /** Answers every request of a caller from now on. */
  answer(next: Answering): void;
  connections(): number;
  /** Hangs up on everybody: a connection on which `bytes` were written serves nobody else. */
  hangUp(): Promise<void>;
  close(): Promise<void>;
}

export type Answering = (exchange: {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The connection itself, for what no HTTP library writes. */
  readonly socket: Socket;
  readonly message: Seen['message'];
}) => void;

export const tool = (name: string, annotations: Record<string, unknown> = { readOnlyHint: true }) => ({
  name,
  inputSchema: { type: 'object' },
  annotations,
});

const usual = ['echo', 'secret_tool'].map((name) => tool(name));

/** A server that does to its callers what it is told to, but lists its tools in good order to the gateway. */
export async function startHostileUpstream(tools: readonly object[] = usual): Promise<HostileUpstream> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let answering: Answering = ({ response }) => response.destroy();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const message = text === '' ? {} : (JSON.parse(text) as Seen['message']);
    if (text.includes('"name":"portcullis"')) {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { tools } }));
      return;
    }
    const entry: Seen = {
      httpMethod: request.method ?? '',
      headers: request.headers,
      message,
      aborted: false,
    };
    seen.push(entry);
    response.on('close', () => {
      entry.aborted = !response.writableFinished;
    });
    answering({ request, response, socket: request.socket, message });
  });
  server.requestTimeout = 0;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    seen,
    answer: (next) => {
      answering = next;
    },
    connections: () => sockets.size,
    async hangUp() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export const result = (id: unknown, value: object = { content: [{ type: 'text', text: 'good' }] }) =>
  JSON.stringify({ jsonrpc: '2.0', id, result: value });

/** Answers with a whole JSON-RPC result. */
export const good: Answering = ({ response, message }) => {
  response.setHeader('content-type', 'application/json');
  response.end(result(message.id));
};

/** Writes these bytes as the whole answer and leaves the connection open. */
export const bytes =
  (head: string[], body: string | Buffer = ''): Answering =>
  ({ socket }) => {
    socket.write(`${head.join('\r\n')}\r\n\r\n`, 'latin1');
    socket.write(body);
  };
