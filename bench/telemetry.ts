// What telemetry costs a call: `node bench/telemetry.ts [calls] [rounds]`. Four gateways in processes of their own, in turn, several rounds
// in one run; upstream, collector, issuer and clients in this process. Ratios count: processor time of the gateway for each call.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startIssuer } from '../test/identity/issuer.ts';

const calls = Number(process.argv[2] ?? 3_000);
const rounds = Number(process.argv[3] ?? 5);
const lanes = 8;

let exported = 0;
const listen = async (answer: (path: string, body: string) => object) => {
  const server = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer(incoming.url ?? '', body)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
};

const upstream = await listen((_path, body) => {
  const message = JSON.parse(body || '{}') as { id?: number; method?: string };
  const result =
    message.method === 'tools/list'
      ? { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }
      : { content: [{ type: 'text', text: 'x' }] };
  return { jsonrpc: '2.0', id: message.id, result };
});
const collector = await listen((path, body) => {
  if (path === '/v1/traces') exported += body.split('"spanId"').length - 1;
  return {};
});
const issuer = await startIssuer();
const directory = await mkdtemp(join(tmpdir(), 'portcullis-bench-'));

async function freePort(): Promise<number> {
  const { server, port } = await listen(() => ({}));
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Candidate {
  readonly name: string;
  readonly url: string;
  readonly child: ChildProcess;
  readonly perCall: number[];
}

async function startGateway(name: string, telemetry: string): Promise<Candidate> {
  const port = await freePort();
  const file = join(directory, `${name.replace(/\W/g, '-')}.yaml`);
  const origin = `http://127.0.0.1:${port}`;
  const lines = [
    `publicUrl: ${origin}`,
    `listen: { port: ${port} }`,
    `data: ${file}.data`,
    `servers: { s: { path: /mcp, upstream: { url: "http://127.0.0.1:${upstream.port}/mcp" } } }`,
    `auth: { issuers: [ { issuer: "${issuer.issuer}", audience: ["${origin}/mcp"] } ] }`,
    'limits: { client: none, organization: none, address: 1000000/s, concurrent: { client: 100 } }',
    `telemetry: ${telemetry}`,
  ];
  await writeFile(file, lines.join('\n'));
  const program = new URL('gateway-process.ts', import.meta.url);
  const child = fork(program, [file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await once(child, 'message');
  return { name, url: `${origin}/mcp`, child, perCall: [] };
}

/** Microseconds. */
async function processorTime(child: ChildProcess): Promise<number> {
  child.send('cpu');
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage];
  return user + system;
}

const version = '2026-07-28';
const agent = new Agent({ keepAlive: true, maxSockets: lanes });
const meta = {
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientCapabilities': {},
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const params = { name: 'echo', arguments: { text: 'x'.repeat(200) }, _meta: meta };
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });

function call(url: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
      authorization: `Bearer ${token}`,
      'content-length': Buffer.byteLength(body),
    };
    const sent = request(url, { method: 'POST', agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`)),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function run({ url, child, perCall }: Candidate, count: number): Promise<void> {
  const token = await issuer.sign({ aud: url, scope: 'mcp:tools:read mcp:tools:write mcp:tools:admin' });
  const before = await processorTime(child);
  let left = count;
  const lane = async () => {
    while (left-- > 0) await call(url, token);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  perCall.push(((await processorTime(child)) - before) / count);
}

const to = `otlp: "http://127.0.0.1:${collector.port}"`;
const candidates = [
  await startGateway('off', '{}'),
  await startGateway('metrics for Prometheus', `{ prometheus: { listen: { port: ${await freePort()} } } }`),
  await startGateway('metrics, 1 % of traces', `{ ${to}, traces: { ratio: 0.01 } }`),
  await startGateway('metrics, all traces', `{ ${to}, traces: { ratio: 1, queue: 65536 } }`),
];
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
for (const candidate of candidates) await run(candidate, Math.min(1_000, calls)); // warm
for (const { perCall } of candidates) perCall.length = 0;
for (let round = 0; round < rounds; round += 1)
  for (const candidate of candidates) await run(candidate, calls);
const base = candidates[0]?.perCall ?? [];
for (const { name, perCall } of candidates) {
  const ratios = perCall.map((time, index) => time / (base[index] ?? 1));
  process.stdout.write(
    `${name.padEnd(24)} ${median(perCall).toFixed(0).padStart(5)} µs CPU a call   ${median(ratios).toFixed(3)} of off ` +
      `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})\n`,
  );
}
for (const { child } of candidates) {
  child.send('close');
  await once(child, 'exit');
}
process.stdout.write(`${exported} spans reached the collector\n`);
agent.destroy();
for (const { server } of [upstream, collector]) {
  server.closeAllConnections();
  server.close();
}
await issuer.stop();
await rm(directory, { recursive: true, force: true });
