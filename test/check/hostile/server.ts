import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';

/** A server that means harm to whoever looks at it; each behaviour by itself. */
export interface HostileServer {
  readonly url: string;
  /** Every Authorization header that arrived, with the path that it came to. */
  readonly tokens: readonly { readonly path: string; readonly authorization: string }[];
  /** Connections open now. */
  connections(): number;
  close(): Promise<void>;
}

const escapes = '\u001b]0;owned\u0007\u001b[2J\u001b[31m\u009b1m\u202e\r\nforged: line\u0000\u2028';

type Behaviour = (request: IncomingMessage, response: ServerResponse, origin: string) => void;

/** By name, for HTTP. `silent`, `dripping-headers` and `garbage` are below HTTP. */
const behaviours = {
  'endless-body': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    forever(response, Buffer.alloc(65_536, 0x20));
  },
  'endless-challenge-body': (_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Bearer' });
    forever(response, Buffer.alloc(65_536, 0x41));
  },
  'endless-events': (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    forever(response, Buffer.from(`: ${'x'.repeat(4_000)}\n\n`));
  },
  'dripping-body': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(timer));
  },
  'redirect-loop': (request, response) => {
    response.writeHead(307, { location: `${request.url}x` }).end();
  },
  'redirect-inside': (_, response) => {
    response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
  },
  'redirect-elsewhere': (request, response) => {
    const { port } = new URL(`http://${request.headers.host}`);
    response.writeHead(307, { location: `http://localhost:${port}/elsewhere` }).end();
  },
  'gigantic-metadata': (request, response, origin) => {
    if (!isMetadata(request)) return challenge(response, origin);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"resource":"');
    forever(response, Buffer.alloc(65_536, 0x61));
  },
  'json-bomb': (request, response, origin) => {
    if (!isMetadata(request)) return challenge(response, origin);
    response.writeHead(200, { 'content-type': 'application/json' }).end('['.repeat(500_000));
  },
  'many-servers': (request, response, origin) => {
    if (!isMetadata(request)) return challenge(response, origin);
    const servers = Array.from({ length: 20_000 }, (_, at) => `${origin}/issuer/${at}`);
    json(response, { resource: `${origin}/mcp`, authorization_servers: servers });
  },
  'metadata-inside': (request, response, origin) => {
    if (!isMetadata(request)) return challenge(response, origin);
    json(response, {
      resource: `${origin}/mcp`,
      authorization_servers: [
        'http://169.254.169.254/',
        'http://[::ffff:10.0.0.1]/',
        'file:///etc/passwd',
        'javascript:alert(1)',
      ],
    });
  },
  'control-characters': (request, response, origin) => {
    if (isMetadata(request)) {
      return json(response, {
        resource: `${origin}/${escapes}`,
        resource_name: escapes,
        authorization_servers: [`${origin}/${escapes}`],
        scopes_supported: [escapes],
      });
    }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: 1, message: escapes } });
    response
      .writeHead(401, { 'www-authenticate': 'Bearer realm="\u009b31m", error="\u00ad"', server: 'x\u009b1m' })
      .end(body);
  },
  'odd-challenge': (_, response) => {
    response.writeHead(401, { 'www-authenticate': `Bearer ${'a="b",'.repeat(1_500)}` }).end();
  },
  'many-headers': (_, response) => {
    for (let at = 0; at < 900; at += 1) response.setHeader(`x-${at}`, 'y'.repeat(10));
    response.writeHead(401).end();
  },
  'wrong-types': (request, response, origin) => {
    if (isMetadata(request))
      return json(response, { resource: 7, authorization_servers: 'no', scopes_supported: { a: [null] } });
    if (request.url?.includes('oauth-authorization-server')) return json(response, [null, 'x']);
    json(response, {
      jsonrpc: '2.0',
      id: 'another',
      result: { tools: [null, 5, { name: {} }, { name: '__proto__', inputSchema: [] }] },
      origin,
    });
  },
  'many-tools': (_, response) => {
    const tools = Array.from({ length: 5_000 }, (_, at) => ({
      name: `tool_${at}`,
      description: 'x'.repeat(200),
      inputSchema: { type: 'object' },
    }));
    json(response, { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', tools, nextCursor: 'again' } });
  },
  'compressed-bomb': (_, response) => {
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      .end(Buffer.alloc(200_000, 0x1f));
  },
} as const satisfies Readonly<Record<string, Behaviour>>;

export type HostileName = keyof typeof behaviours | 'silent' | 'dripping-headers' | 'garbage' | 'resets';

export const hostileNames = [
  ...(Object.keys(behaviours) as (keyof typeof behaviours)[]),
  'silent',
  'dripping-headers',
  'garbage',
  'resets',
] as const satisfies readonly HostileName[];

export async function startHostileServer(name: HostileName): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const tokens: { path: string; authorization: string }[] = [];
  const server = name in behaviours ? createServer() : createTcpServer((socket) => misbehave(name, socket));
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { authorization } = request.headers;
    if (authorization !== undefined) tokens.push({ path: request.url ?? '', authorization });
    request.on('error', () => {}).resume();
    const behave: Behaviour = behaviours[name as keyof typeof behaviours];
    behave(request, response, origin);
  });
  return {
    url: `${origin}/mcp`,
    tokens,
    connections: () => sockets.size,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function misbehave(name: HostileName, socket: Socket): void {
  if (name === 'resets') socket.resetAndDestroy();
  else if (name === 'garbage') socket.end('\u0000\u0001SSH-2.0-nothing\r\n\r\n');
  else if (name === 'dripping-headers') {
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write('x-drip: 1\r\n'), 50);
    socket.on('close', () => clearInterval(timer));
  }
}

/** Writes until the other side goes, at its pace: the memory that fills is its own. */
function forever(response: ServerResponse, chunk: Buffer): void {
  if (response.req.method === 'HEAD') return void response.end(); // a body that is dropped would never fill anything
  const pump = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', pump);
  };
  response.on('error', () => {});
  pump();
}

function isMetadata({ url }: IncomingMessage): boolean {
  return url?.includes('oauth-protected-resource') ?? false;
}

function challenge(response: ServerResponse, origin: string): void {
  const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
  response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${metadata}"` }).end();
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
