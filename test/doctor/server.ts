import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What a server answers, by `METHOD path`. */
export type Site = Record<string, Answer | ((request: IncomingMessage, response: ServerResponse) => void)>;

export interface MadeUpServer {
  readonly origin: string;
  readonly url: string;
  readonly asked: readonly { readonly line: string; readonly headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

/** A server whose every answer the test chooses; 404 where it chose none. */
export async function startMadeUpServer(siteOf: (origin: string) => Site): Promise<MadeUpServer> {
  const asked: { line: string; headers: IncomingMessage['headers'] }[] = [];
  let site: Site = {};
  const http = createServer((request, response) => {
    request.resume();
    const line = `${request.method} ${request.url}`;
    asked.push({ line, headers: request.headers });
    const answer = site[line] ?? { status: 404 };
    if (typeof answer === 'function') return answer(request, response);
    const { status = 200, headers = {}, body = {} } = answer;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  site = siteOf(origin);
  return {
    origin,
    url: `${origin}/mcp`,
    asked,
    async close() {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
}

export const resourceDocument = 'GET /.well-known/oauth-protected-resource/mcp';
export const rootResourceDocument = 'GET /.well-known/oauth-protected-resource';
export const issuerDocument = 'GET /.well-known/oauth-authorization-server';

/** A server that lets every client in, but for what a test changes. */
export function goodSite(
  origin: string,
): Record<string, { status?: number; headers: Record<string, string>; body: Record<string, unknown> }> {
  const resource = {
    headers: {},
    body: { resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ['read'] },
  };
  const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
  return {
    'POST /mcp': {
      status: 401,
      headers: { 'www-authenticate': `Bearer ${metadata}, scope="read"` },
      body: {},
    },
    'OPTIONS /mcp': {
      headers: {
        'access-control-allow-origin': 'http://localhost:6274',
        'access-control-allow-headers': 'Authorization, Content-Type, MCP-Protocol-Version',
      },
      body: {},
    },
    [resourceDocument]: resource,
    [rootResourceDocument]: resource,
    [issuerDocument]: {
      headers: {},
      body: {
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        registration_endpoint: `${origin}/register`,
        scopes_supported: ['read', 'write'],
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
        client_id_metadata_document_supported: true,
      },
    },
  };
}
