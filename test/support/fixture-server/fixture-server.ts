import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeIncomingMessageLike,
  toWebRequest,
} from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';
import { createMcpServer } from './mcp-server.ts';
import { createSessions } from './sessions.ts';
import { createFixtureState } from './state.ts';

/** One HTTP request as the server saw it. */
export interface FixtureRequest {
  readonly httpMethod: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, in the case they came in. */
  readonly rawHeaders: readonly string[];
  /** The JSON-RPC method of the body, where it has one. */
  readonly method?: string;
  /** `params.name` of the body, where it has one. */
  readonly name?: string;
  readonly body: string;
  /** 0 until answered. */
  status: number;
  /** `open` while the answer streams; `aborted` when the peer went first. */
  outcome: 'open' | 'finished' | 'aborted';
}

/** An MCP server of both eras at `url`. */
export interface FixtureServer {
  readonly url: string;
  readonly port: number;
  /** Every request to the endpoint, oldest first. */
  readonly requests: readonly FixtureRequest[];
  /** Tools whose handler was aborted, in order. */
  readonly cancelled: readonly string[];
  readonly notes: ReadonlyMap<string, string>;
  /** Handlers of slow tools running now. */
  running(): number;
  /** TCP connections open now. */
  connections(): number;
  /** 2025-era sessions alive now. */
  sessions(): number;
  /** Answers still streaming. */
  openAnswers(): number;
  /** `subscriptions/listen` streams open now. */
  subscriptions(): number;
  announceToolsChanged(): void;
  close(): Promise<void>;
}

export interface FixtureOptions {
  /** 0 (default) takes a free port. */
  readonly port?: number;
  /** Which eras the endpoint speaks; the other is refused. Default: both. */
  readonly era?: 'both' | 'legacy' | 'modern';
}

export async function startFixtureServer(options: FixtureOptions = {}): Promise<FixtureServer> {
  const state = createFixtureState();
  const requests: FixtureRequest[] = [];
  const sockets = new Set<Socket>();
  const endpoint = createEndpoint(state, options.era ?? 'both');
  const validHost = localhostHostValidation();
  const validOrigin = localhostOriginValidation();
  const server = createServer((request, response) => {
    if (!validHost(request, response) || !validOrigin(request, response)) return;
    if (new URL(request.url ?? '/', 'http://fixture').pathname !== '/mcp') response.writeHead(404).end();
    else void serve({ request, response, requests, fetch: endpoint.fetch });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    requests,
    cancelled: state.cancelled,
    notes: state.notes,
    running: () => state.running,
    connections: () => sockets.size,
    sessions: endpoint.sessions,
    openAnswers: () => requests.filter((request) => request.outcome === 'open').length,
    subscriptions: () => state.events.listenerCount,
    announceToolsChanged: () => state.events.publish({ kind: 'tools_list_changed' }),
    async close() {
      await endpoint.close();
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

type Fetch = (request: Request, body: unknown) => Promise<Response>;

/** Routes a request by era, as the SDK itself classifies it. */
function createEndpoint(state: ReturnType<typeof createFixtureState>, era: 'both' | 'legacy' | 'modern') {
  const sessions = createSessions(state);
  const modern = createMcpHandler(() => createMcpServer(state, 'modern'), {
    legacy: 'reject',
    bus: state.events,
    keepAliveMs: 0,
  });
  const fetch: Fetch = async (request, body) => {
    const legacy = era === 'both' ? await isLegacyRequest(request.clone()) : era === 'legacy';
    return legacy ? sessions.fetch(request, body) : modern.fetch(request);
  };
  return {
    fetch,
    sessions: sessions.count,
    close: async () => {
      await modern.close();
      await sessions.close();
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requests: FixtureRequest[];
  readonly fetch: Fetch;
}

async function serve({ request, response, requests, fetch }: Exchange): Promise<void> {
  const peer = new AbortController();
  const web = await toWebRequest(request as NodeIncomingMessageLike, undefined, { signal: peer.signal });
  const body = web.method === 'POST' ? await web.clone().text() : '';
  const parsed = parse(body);
  const seen = record(request, body, parsed);
  requests.push(seen);
  response.on('close', () => {
    seen.outcome = response.writableFinished ? 'finished' : 'aborted';
    if (!response.writableFinished) peer.abort();
  });
  try {
    const answer = await fetch(web, parsed);
    seen.status = answer.status;
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    // A stream that has nothing to say yet is open all the same.
    response.flushHeaders();
    if (answer.body) await pipeline(Readable.fromWeb(answer.body), response);
    else response.end();
  } catch {
    // The peer left: there is nobody to tell.
    response.destroy();
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function record(request: IncomingMessage, body: string, parsed: unknown): FixtureRequest {
  const message = (parsed ?? {}) as { method?: unknown; params?: { name?: unknown } };
  return {
    httpMethod: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    ...(typeof message.method === 'string' ? { method: message.method } : {}),
    ...(typeof message.params?.name === 'string' ? { name: message.params.name } : {}),
    body,
    status: 0,
    outcome: 'open',
  };
}
