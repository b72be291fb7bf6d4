import { randomUUID } from 'node:crypto';
import { isInitializeRequest, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { createEventStore } from './event-store.ts';
import { createMcpServer } from './mcp-server.ts';
import type { FixtureState } from './state.ts';

/** The 2025-era endpoint: one transport for each `Mcp-Session-Id` (2025-11-25, basic/transports). */
export interface Sessions {
  fetch(request: Request, body: unknown): Promise<Response>;
  count(): number;
  close(): Promise<void>;
}

export function createSessions(state: FixtureState): Sessions {
  const transports = new Map<string, WebStandardStreamableHTTPServerTransport>();

  async function open(): Promise<WebStandardStreamableHTTPServerTransport> {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: createEventStore(),
      retryInterval: 50,
      keepAliveMs: 0,
      onsessioninitialized: (id) => void transports.set(id, transport),
      onsessionclosed: (id) => void transports.delete(id),
    });
    await createMcpServer(state, 'legacy').connect(transport);
    return transport;
  }

  return {
    async fetch(request, body) {
      const id = request.headers.get('mcp-session-id');
      const known = id === null ? undefined : transports.get(id);
      if (known) return known.handleRequest(request, { parsedBody: body });
      if (id === null && isInitializeRequest(body))
        return (await open()).handleRequest(request, { parsedBody: body });
      return refusal(id === null ? 400 : 404, id === null ? 'Session required' : 'Session not found');
    },
    count: () => transports.size,
    async close() {
      await Promise.all([...transports.values()].map((transport) => transport.close()));
      transports.clear();
    },
  };
}

function refusal(status: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', error: { code: -32000, message }, id: null }, { status });
}
