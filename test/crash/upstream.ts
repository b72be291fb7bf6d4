import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordingUpstream {
  readonly url: string;
  /** Request ids of the calls that came. */
  readonly seen: string[];
  close(): void;
}

const text = { type: 'object', properties: { text: { type: 'string' } } };
const tools = ['echo', 'delete_all', 'rationed'].map((name) => ({ name, inputSchema: text }));

export async function startUpstream(): Promise<RecordingUpstream> {
  const seen: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = JSON.parse(body || '{}') as { id?: unknown; method?: string };
    const isCall = message.method === 'tools/call';
    if (isCall) seen.push(String(request.headers['x-request-id']));
    const result = isCall
      ? { resultType: 'complete', content: [{ type: 'text', text: 'done' }] }
      : { resultType: 'complete', tools };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id ?? null, result }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
