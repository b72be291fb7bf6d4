import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, createAuthorization } from './authorization.ts';
import { createEndpoint } from './endpoint.ts';
import type { FaultName } from './faults.ts';
import { createIssuer, type TokenWishes } from './issuer.ts';
import { createJournal } from './journal.ts';
import { createLimits } from './limits.ts';
import { createToolbox } from './tools.ts';

/** An MCP server with its authorization server on one origin of the loopback; sound, but for the faults that are switched on. */
export interface VulnerableServer {
  readonly url: string;
  /** A token of its own issuer, as wished. */
  mint(wishes?: TokenWishes): Promise<string>;
  revoke(token: string): void;
  /** Notes that were deleted without anybody's consent, or with it. */
  readonly deleted: readonly string[];
  close(): Promise<void>;
}

export interface VulnerableOptions {
  readonly faults?: readonly FaultName[];
  /** Where the log goes; none by default. */
  readonly journal?: string;
}

const maxBody = 1_000_000;

export async function startVulnerableServer(options: VulnerableOptions = {}): Promise<VulnerableServer> {
  const faults = new Set(options.faults);
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const issuer = await createIssuer(origin, faults);
  const limits = createLimits();
  const tools = createToolbox(faults);
  const journal = createJournal(options.journal ?? null, faults);
  const endpoint = createEndpoint({ issuer, limits, tools, journal, faults });
  const authorization = createAuthorization(issuer, limits, faults);

  const answerTo = async (request: IncomingMessage): Promise<Answer> => {
    const { host } = request.headers;
    if (host !== `127.0.0.1:${port}` && !faults.has('any-host')) return { status: 421 };
    const named = faults.has('any-host') ? `http://${host}` : origin;
    const from = request.headers.origin;
    if (from !== undefined && from !== origin && !faults.has('any-origin') && isEndpoint(request)) {
      return { status: 403 };
    }
    if (request.method === 'OPTIONS') return { status: 204 };
    const body = await bodyOf(request);
    if (body === null) return { status: 413, headers: { connection: 'close' } };
    const { pathname, searchParams } = new URL(request.url ?? '/', origin);
    if (pathname === '/mcp' || (pathname === '/sse' && faults.has('alias-open'))) {
      if (pathname === '/sse')
        return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: '' };
      return endpoint({
        method: request.method ?? 'GET',
        headers: flat(request),
        authorization: valuesOf(request, 'authorization'),
        query: searchParams,
        body,
        origin: named,
      });
    }
    const metadata = resourceMetadata(pathname, named, faults);
    if (metadata && request.method === 'GET') return metadata;
    if (faults.has('open-paths') && (pathname === '/metrics' || pathname === '/config')) {
      return {
        status: 200,
        headers: { 'content-type': 'text/plain' },
        body: 'process_cpu_seconds_total 1\n',
      };
    }
    const asked = {
      method: request.method ?? 'GET',
      path: pathname,
      query: searchParams,
      body: body.toString(),
      authorization: request.headers.authorization ?? '',
    };
    return (await authorization({ ...asked, origin: named })) ?? { status: 404 };
  };

  server.on('request', (request, response) => {
    void answerTo(request)
      .catch((): Answer => ({ status: 500 }))
      .then((answer) => send(response, request, answer, faults));
  });
  return {
    url: `${origin}/mcp`,
    mint: issuer.mint,
    revoke: issuer.revoke,
    deleted: tools.deleted,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function isEndpoint({ url }: IncomingMessage): boolean {
  return (url ?? '').startsWith('/mcp');
}

function resourceMetadata(path: string, origin: string, faults: ReadonlySet<FaultName>): Answer | null {
  const inserted = path === '/.well-known/oauth-protected-resource/mcp';
  if (!inserted && path !== '/.well-known/oauth-protected-resource') return null;
  if (inserted && faults.has('one-metadata-path')) return { status: 404 };
  return {
    status: 200,
    headers: { 'access-control-allow-origin': '*', 'cache-control': 'max-age=60' },
    body: {
      resource: faults.has('foreign-resource') ? 'https://elsewhere.example/mcp' : `${origin}/mcp`,
      authorization_servers: [origin],
      scopes_supported: [
        'mcp:tools:read',
        ...(faults.has('offline-access-advertised') ? ['offline_access'] : []),
      ],
      bearer_methods_supported: ['header'],
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBody) chunks.push(chunk);
  }
  return size > maxBody ? null : Buffer.concat(chunks);
}

function flat({ headers }: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  );
}

function valuesOf({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

function send(
  response: ServerResponse,
  request: IncomingMessage,
  answer: Answer,
  faults: ReadonlySet<FaultName>,
): void {
  const headers: Record<string, string> = { 'x-content-type-options': 'nosniff', ...answer.headers };
  const { origin } = request.headers;
  if (faults.has('cors-reflects') && origin !== undefined) {
    headers['access-control-allow-origin'] = origin;
    headers['access-control-allow-credentials'] = 'true';
    headers['access-control-allow-headers'] = '*';
  }
  const text =
    typeof answer.body === 'string' || answer.body === undefined
      ? (answer.body ?? '')
      : JSON.stringify(answer.body);
  if (typeof answer.body === 'object') headers['content-type'] ??= 'application/json';
  response.writeHead(answer.status, headers).end(text);
}
