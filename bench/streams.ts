import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startIssuer } from '../test/identity/issuer.ts';

// Memory of the gateway at rest and for each idle stream that it relays: `node bench/streams.ts [streams] [src|dist]`.
// The gateway runs in its own process; upstream, issuer and clients in this one.

const most = Number(process.argv[2] ?? 2000);
const root = process.argv[3] ?? 'src';
const steps = [0, most / 4, most / 2, most].map(Math.round);
const streamsPerSubject = 200;
const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
const MB = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

let open = 0;
const upstream = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const message = JSON.parse(body || '{}') as { id?: number; method?: string };
  if (message.method !== 'subscriptions/listen') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { tools: [] } }));
    return;
  }
  open += 1;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(
    'data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}\n\n',
  );
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listenRequest(port: number, token: string): string {
  const version = '2026-07-28';
  const meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { notifications: { toolsListChanged: true }, _meta: meta };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params });
  return [
    'POST /mcp HTTP/1.1',
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${token}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    `mcp-protocol-version: ${version}`,
    'mcp-method: subscriptions/listen',
    `content-length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

async function memory(gateway: ChildProcess): Promise<NodeJS.MemoryUsage> {
  gateway.send('memory');
  const [usage] = (await once(gateway, 'message')) as [NodeJS.MemoryUsage];
  return usage;
}

const inUse = (usage: NodeJS.MemoryUsage): number => usage.heapUsed + usage.external;

upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');
const issuer = await startIssuer();
const directory = await mkdtemp(join(tmpdir(), 'portcullis-bench-'));
const port = await freePort();
const config = {
  publicUrl: `http://127.0.0.1:${port}`,
  listen: { host: '127.0.0.1', port },
  data: directory,
  servers: {
    bench: {
      path: '/mcp',
      upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/` },
    },
  },
  auth: { issuers: [{ issuer: issuer.issuer, audience: `http://127.0.0.1:${port}/mcp` }] },
  limits: { client: 'none', organization: 'none', address: '1000000/min' },
};
const file = join(directory, 'portcullis.yaml');
await writeFile(file, JSON.stringify(config));
const gateway = fork(join(import.meta.dirname, 'gateway-process.ts'), [file, root], {
  execArgv: ['--expose-gc'],
});
await once(gateway, 'message');

const sockets: Socket[] = [];
let token = '';
async function openStream(): Promise<void> {
  if (sockets.length % streamsPerSubject === 0) {
    const sub = `subject-${sockets.length}`;
    token = await issuer.sign({ sub, aud: config.auth.issuers[0]?.audience, scope: 'mcp:tools:read' });
  }
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.write(listenRequest(port, token));
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.toString().startsWith('HTTP/1.1 200')) throw new Error(head.toString());
  socket.resume();
}

const measured: { streams: number; usage: NodeJS.MemoryUsage }[] = [];
for (const step of steps) {
  while (sockets.length < step)
    await Promise.all(Array.from({ length: Math.min(50, step - sockets.length) }, openStream));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const usage = await memory(gateway);
  measured.push({ streams: step, usage });
  process.stdout.write(
    `${step} streams: resident ${MB(usage.rss)}, in use ${MB(inUse(usage))} (upstream sees ${open})\n`,
  );
}
const first = measured[0];
const last = measured.at(-1);
if (first && last && last.streams > 0) {
  const perStream = (of: (usage: NodeJS.MemoryUsage) => number): string =>
    kB((of(last.usage) - of(first.usage)) / last.streams);
  process.stdout.write(
    `at rest ${MB(first.usage.rss)}; per idle stream ${perStream((usage) => usage.rss)} resident, ${perStream(inUse)} in use\n`,
  );
}
for (const socket of sockets) socket.destroy();
await new Promise((resolve) => setTimeout(resolve, 2000));
const after = await memory(gateway);
process.stdout.write(`after all have gone: resident ${MB(after.rss)}, in use ${MB(inUse(after))}\n`);
gateway.send('stop');
await once(gateway, 'exit');
upstream.closeAllConnections();
upstream.close();
await issuer.stop();
await rm(directory, { recursive: true, force: true });
