// Gateways in processes of their own, and a load on each: what several benchmarks share. Upstream, issuer and clients are in this process.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startIssuer } from '../test/identity/issuer.ts';

/** A server on loopback that answers JSON. */
export async function listen(
  answer: (path: string, body: string) => object,
): Promise<{ server: Server; port: number }> {
  const server = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer(incoming.url ?? '', body)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

export async function freePort(): Promise<number> {
  const { server, port } = await listen(() => ({}));
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Candidate {
  readonly name: string;
  readonly url: string;
  readonly child: ChildProcess;
}

export interface Figures {
  readonly callsPerSecond: number;
  /** Of the gateway, all threads. */
  readonly processorMicrosecondsPerCall: number;
}

export interface Gateways {
  /**
   * @param lines more lines of configuration
   * @param without what no configuration can switch off. `audit`: records go nowhere; `settling`: refusals do not wait for theirs
   */
  start(name: string, lines: readonly string[], without?: 'audit' | 'settling'): Promise<Candidate>;
  run(candidate: Candidate, load: { calls: number; lanes: number }): Promise<Figures>;
  close(): Promise<void>;
}

const version = '2026-07-28';
const meta = {
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientCapabilities': {},
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const params = { name: 'echo', arguments: { text: 'x'.repeat(200) }, _meta: meta };
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });

interface Upstream {
  readonly port: number;
  close(): void;
}

/** In this process, and hardly any work: what a gateway costs shows most against it. */
async function bareUpstream(): Promise<Upstream> {
  const { server, port } = await listen((_path, text) => {
    const { id, method } = JSON.parse(text || '{}') as { id?: number; method?: string };
    const tools = [{ name: 'echo', inputSchema: { type: 'object' } }];
    return { jsonrpc: '2.0', id, result: method === 'tools/list' ? { tools } : { content: [] } };
  });
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { port, close };
}

/** A server on the official SDK, in a process of its own. */
async function sdkUpstream(): Promise<Upstream> {
  const child = fork(new URL('mcp-server.ts', import.meta.url));
  const [port] = (await once(child, 'message')) as [number];
  return { port, close: () => child.disconnect() };
}

export async function openGateways({ server = 'bare' as 'bare' | 'sdk' } = {}): Promise<Gateways> {
  const upstream = await (server === 'sdk' ? sdkUpstream() : bareUpstream());
  const issuer = await startIssuer();
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-bench-'));
  const agent = new Agent({ keepAlive: true });
  const started: ChildProcess[] = [];
  return {
    async start(name, lines, without) {
      const port = await freePort();
      const file = join(directory, `${started.length}.yaml`);
      const origin = `http://127.0.0.1:${port}`;
      const configuration = [
        `publicUrl: ${origin}`,
        `listen: { port: ${port} }`,
        `data: ${file}.data`,
        `servers: { s: { path: /mcp, upstream: { url: "http://127.0.0.1:${upstream.port}/mcp" } } }`,
        `auth: { issuers: [ { issuer: "${issuer.issuer}", audience: ["${origin}/mcp"] } ] }`,
        'limits: { client: none, organization: none, address: 1000000/s, addressFailures: 1000000/s, concurrent: { client: 1000, upstream: 1000 } }',
        ...lines,
      ];
      await writeFile(file, configuration.join('\n'));
      const program = new URL('gateway-process.ts', import.meta.url);
      const execArgv = without ? ['--import', new URL(`no-${without}-hook.ts`, import.meta.url).href] : [];
      const child = fork(program, [file], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      started.push(child);
      await once(child, 'message');
      return { name, url: `${origin}/mcp`, child };
    },
    async run({ url, child }, { calls, lanes }) {
      const token = await issuer.sign({
        aud: url,
        scope: 'mcp:tools:read mcp:tools:write mcp:tools:admin',
      });
      const [cpu, from] = [await processorTime(child), performance.now()];
      let left = calls;
      const lane = async () => {
        while (left-- > 0) await call(url, token, agent);
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      const took = performance.now() - from;
      return {
        callsPerSecond: (calls / took) * 1_000,
        processorMicrosecondsPerCall: ((await processorTime(child)) - cpu) / calls,
      };
    },
    async close() {
      for (const child of started) {
        child.send('close');
        await once(child, 'exit');
      }
      agent.destroy();
      upstream.close();
      await issuer.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Microseconds. */
async function processorTime(child: ChildProcess): Promise<number> {
  child.send('cpu');
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage];
  return user + system;
}

function call(url: string, token: string, agent: Agent): Promise<void> {
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

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
