import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type ToolJson = Record<string, unknown>;

/** A server whose tools are what the test says at the moment, for each who asks. */
export interface DriftingServer {
  readonly url: string;
  /** Names of the tools that were called, in order. */
  readonly calls: string[];
  /** How often the list was read. */
  lists(): number;
  /** What to list from now on. */
  show(
    tools:
      | readonly ToolJson[]
      | ((asked: Asked) => readonly ToolJson[] | { tools: ToolJson[]; nextCursor: string }),
  ): void;
  /** Whether tools/list is answered at all. */
  available(yes: boolean): void;
  /** Says on every open stream that the tools are others now. */
  announce(): void;
  streams(): number;
  close(): Promise<void>;
}

export interface Asked {
  readonly headers: IncomingMessage['headers'];
  readonly gateway: boolean;
  readonly cursor: string | undefined;
}

interface Rpc {
  id?: number | string;
  method?: string;
  params?: { name?: string; cursor?: string; _meta?: Record<string, unknown> };
}

export async function startDriftingServer(first: readonly ToolJson[]): Promise<DriftingServer> {
  const calls: string[] = [];
  const sockets = new Set<Socket>();
  const streams = new Map<ServerResponse, unknown>();
  let shown: (asked: Asked) => readonly ToolJson[] | { tools: ToolJson[]; nextCursor: string } = () => first;
  let available = true;
  let lists = 0;

  const open = (response: ServerResponse, tag: unknown): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    streams.set(response, tag);
    response.on('close', () => streams.delete(response));
    if (tag === undefined) return;
    const _meta = { 'io.modelcontextprotocol/subscriptionId': tag };
    const params = { notifications: { toolsListChanged: true }, _meta };
    response.write(
      `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params })}\n\n`,
    );
  };
  const resultOf = (message: Rpc, text: string, headers: IncomingMessage['headers']): unknown => {
    switch (message.method) {
      case 'initialize':
        return {
          protocolVersion: '2025-11-25',
          capabilities: { tools: { listChanged: true } },
          serverInfo: { name: 'd', version: '1' },
        };
      case 'tools/list': {
        lists++;
        const answer = shown({
          headers,
          gateway: text.includes('"name":"portcullis"'),
          cursor: message.params?.cursor,
        });
        return Array.isArray(answer) ? { tools: answer } : answer;
      }
      case 'tools/call':
        calls.push(message.params?.name ?? '');
        return { content: [{ type: 'text', text: 'done' }] };
      default:
        return {};
    }
  };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    if (request.method === 'GET') return open(response, undefined);
    const message = JSON.parse(text || '{}') as Rpc;
    if (message.id === undefined) return void response.writeHead(202).end();
    if (message.method === 'subscriptions/listen') return open(response, message.id);
    if (message.method === 'tools/list' && !available) return void response.writeHead(500).end();
    const result = resultOf(message, text, request.headers);
    const session = message.method === 'initialize' ? { 'mcp-session-id': 'session-1' } : {};
    response.writeHead(200, { 'content-type': 'application/json', ...session });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    calls,
    lists: () => lists,
    show: (tools) => {
      shown = typeof tools === 'function' ? tools : () => tools;
    },
    available: (yes) => {
      available = yes;
    },
    announce() {
      for (const [response, tag] of streams) {
        const params =
          tag === undefined ? {} : { params: { _meta: { 'io.modelcontextprotocol/subscriptionId': tag } } };
        response.write(
          `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed', ...params })}\n\n`,
        );
      }
    },
    streams: () => streams.size,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export const tool = (name: string, more: ToolJson = {}): ToolJson => ({
  name,
  description: `Does ${name}.`,
  inputSchema: { type: 'object', properties: { text: { type: 'string' } } },
  annotations: { readOnlyHint: true },
  ...more,
});
