import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthorizationServer } from '../authorization-server/index.ts';
import { messageOf, type Refusal } from '../base/index.ts';
import type { ResourceMetadata } from '../identity/index.ts';
import { retryAfterHeader } from '../limits/index.ts';
import { handle, type ProtectedServer, type Runtime } from '../pipeline/index.ts';
import { assertionKeysPath } from '../upstream/index.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import type { Front } from './front.ts';
import type { Health } from './health.ts';
import { endOnceSettled } from './held-answer.ts';
import { incomingRequest, NodeReply } from './node-http.ts';
import type { Peer, PeerReader } from './peer.ts';
import type { Refusals } from './refusals.ts';

/** Everything that routing needs, compiled from one configuration. A reload makes a new one. */
export interface Site {
  readonly runtime: Runtime;
  /** MCP endpoint path → server. */
  readonly servers: ReadonlyMap<string, ProtectedServer>;
  /** RFC 9728 path → document. */
  readonly resourceMetadata: ReadonlyMap<string, ResourceMetadata>;
  readonly authorizationServer: AuthorizationServer | null;
  /** Public keys of what upstreams are told: RFC 7517. */
  readonly assertionKeys: () => object;
  readonly front: Front;
  readonly peer: PeerReader;
  readonly health: Health;
  readonly refusals: Refusals;
  /** Headers of every answer, such as HSTS. */
  readonly headers: Readonly<Record<string, string>>;
}

interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly search: string;
  readonly peer: Peer;
  readonly refusal: Refusal | null;
}

/** Path → what answers it. Exact paths only: `/mcp/`, `//mcp` and `/%6dcp` are nothing. */
export async function route(request: IncomingMessage, response: ServerResponse, site: Site): Promise<void> {
  const visit = visitOf(request, response, site);
  const server = site.servers.get(visit.path);
  if (server) return serveMcp(visit, server, site);
  if (site.health.owns(visit.path)) return site.health.answer(visit.path, response);
  if (visit.refusal) return refused(visit, visit.refusal, site);
  const document = site.resourceMetadata.get(visit.path);
  if (document) return serveDocument(visit, document, site);
  if (visit.path === assertionKeysPath) return serveDocument(visit, site.assertionKeys(), site);
  if (site.authorizationServer?.owns(visit.path))
    return serveAuthorization(visit, site.authorizationServer, site);
  return turnAway(visit, { status: 404, headers: site.headers, body: { error: 'not_found' } }, site);
}

function visitOf(request: IncomingMessage, response: ServerResponse, site: Site): Visit {
  const target = request.url ?? '';
  const query = target.indexOf('?');
  const peer = site.peer(request);
  return {
    request,
    response,
    path: query === -1 ? target : target.slice(0, query),
    search: query === -1 ? '' : target.slice(query),
    peer,
    refusal: site.front.check(request, peer),
  };
}

async function serveMcp(visit: Visit, server: ProtectedServer, site: Site): Promise<void> {
  const { request, response, peer } = visit;
  const origin = site.front.allowedOrigin(request);
  if (request.method === 'OPTIONS' && origin !== null && visit.refusal === null) {
    response.writeHead(204, {
      ...preflightHeaders(origin, header(request, 'access-control-request-headers')),
      ...site.headers,
    });
    response.end();
    return;
  }
  await handle(
    {
      request: incomingRequest(request, visit.search, peer.address),
      reply: new NodeReply(request, response, { headers: { ...corsHeaders(origin), ...site.headers } }),
      server,
      refusal: visit.refusal,
    },
    site.runtime,
  );
}

async function serveDocument(visit: Visit, document: object, site: Site): Promise<void> {
  // Public by design (RFC 9728 section 3): any page may read it, with no credentials involved.
  const headers = {
    ...site.headers,
    'access-control-allow-origin': '*',
    'cache-control': 'public, max-age=300',
  };
  const { method } = visit.request;
  if (method === 'OPTIONS') {
    visit.response.writeHead(204, {
      ...headers,
      'access-control-allow-headers': 'mcp-protocol-version, content-type',
    });
    visit.response.end();
  } else if (method === 'GET' || method === 'HEAD') {
    send(visit, { status: 200, headers, body: document });
  } else {
    const body = { error: 'method_not_allowed' };
    await turnAway(visit, { status: 405, headers: { ...headers, allow: 'GET' }, body }, site);
  }
}

async function serveAuthorization(visit: Visit, server: AuthorizationServer, site: Site): Promise<void> {
  const { audit, clock, flood } = site.runtime;
  const verdict = flood.check(visit.peer.address, clock.monotonic());
  if (!verdict.admitted) {
    const headers = { ...site.headers, 'retry-after': retryAfterHeader(verdict.retryAfterMs) };
    const body = { error: 'too_many_requests' };
    return turnAway(visit, { status: 429, headers, body, reason: 'limit_address' }, site);
  }
  for (const [name, value] of Object.entries(site.headers)) visit.response.setHeader(name, value);
  endOnceSettled(visit.response, () => audit.settled());
  await server.handle(visit.request, visit.response, { address: visit.peer.address });
}

function refused(visit: Visit, { code, message }: Refusal, site: Site): Promise<void> {
  const status = code === 'malformed_request' ? 400 : 403;
  const body = { error: code, error_description: message };
  return turnAway(visit, { status, headers: site.headers, body, reason: code }, site);
}

/** On record before it leaves. */
async function turnAway(
  visit: Visit,
  { reason, ...answer }: JsonAnswer & { readonly reason?: string },
  site: Site,
): Promise<void> {
  const { method, url: target } = visit.request;
  const { status } = answer;
  await site.refusals.request({
    address: visit.peer.address,
    status,
    reason: reason ?? null,
    method,
    target,
  });
  send(visit, answer);
}

interface JsonAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

function send({ request, response }: Visit, answer: JsonAnswer): void {
  const body = Buffer.from(JSON.stringify(answer.body));
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

interface Faulty {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly site: Site;
}

/** The last resort: a fault of ours answers 500 and says nothing. */
export async function fault(error: unknown, { request, response, site }: Faulty): Promise<void> {
  site.runtime.log.error({ detail: messageOf(error) }, 'a request failed inside the gateway');
  const { method, url: target } = request;
  await site.refusals.request({ address: site.peer(request).address, status: 500, method, target });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(500, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end('{"error":"internal_error"}');
}
