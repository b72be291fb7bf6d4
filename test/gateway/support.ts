import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { AuditRecord } from '../../src/audit/index.ts';
import { type Clock, type Log, silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Gateway, startGateway } from '../../src/gateway/index.ts';
import { startIssuer, type TestIssuer } from '../identity/issuer.ts';

/** A gateway as `portcullis serve` would run it, whose tokens come from an issuer that the test controls. */
export interface TestGateway {
  readonly gateway: Gateway;
  readonly issuer: TestIssuer;
  readonly origin: string;
  readonly port: number;
  readonly dataDir: string;
  readonly configFile: string;
  /** The endpoint of the first server; also the audience of its tokens. */
  readonly url: string;
  token(scope: string, claims?: Record<string, unknown>): Promise<string>;
  /** Outcome records written so far, oldest first. */
  records(): Promise<AuditRecord[]>;
  close(): Promise<void>;
}

export interface TestGatewayOptions {
  /** YAML below `servers:`; two spaces deep. */
  readonly servers: string;
  /** Further YAML at the top level. */
  readonly rest?: string;
  /** Paths below the origin that the issuer's tokens may name; `/mcp` unless given. */
  readonly audience?: readonly string[];
  readonly clock?: Clock;
  readonly log?: Log;
  readonly environment?: Record<string, string>;
}

export const allScopes = 'mcp:tools:read mcp:tools:write mcp:tools:admin mcp:resources:read';

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const issuer = await startIssuer();
  const dataDir = await mkdtemp(join(tmpdir(), 'portcullis-test-'));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const configFile = join(dataDir, 'portcullis.yaml');
  await writeFile(configFile, yaml({ origin, port, dataDir, issuer: issuer.issuer, options }));
  const environment = { ...(options.environment ?? {}), PATH: process.env['PATH'] ?? '' };
  const { config } = await loadConfig({ file: configFile, environment, cwd: dataDir });
  const clock = options.clock ?? systemClock;
  const gateway = await startGateway({ config, clock, log: options.log ?? silentLog, environment });
  const url = gateway.servers[0]?.url ?? '';
  return {
    gateway,
    issuer,
    origin,
    port,
    dataDir,
    configFile,
    url,
    token: (scope, claims = {}) => issuer.sign({ aud: url, scope, jti: `jti-${Math.random()}`, ...claims }),
    records: () => outcomes(dataDir),
    async close() {
      await gateway.close();
      await issuer.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

interface Filled {
  readonly origin: string;
  readonly port: number;
  readonly dataDir: string;
  readonly issuer: string;
  readonly options: TestGatewayOptions;
}

function yaml({ origin, port, dataDir, issuer, options }: Filled): string {
  const audience = (options.audience ?? ['/mcp']).map((path) => origin + path);
  return [
    `publicUrl: ${origin}`,
    `listen: { host: 127.0.0.1, port: ${port} }`,
    `data: ${dataDir}`,
    'servers:',
    options.servers,
    'auth:',
    '  issuers:',
    `    - { issuer: "${issuer}", audience: ${JSON.stringify(audience)}, claims: { organization: org } }`,
    options.rest ?? '',
    '',
  ].join('\n');
}

/** Outcomes are written behind the answer: waits until the number of them stands still. */
export async function outcomes(dataDir: string): Promise<AuditRecord[]> {
  for (let before = -1, still = 0; ; ) {
    const db = new DatabaseSync(join(dataDir, 'audit.db'), { readOnly: true });
    const rows = db.prepare("SELECT * FROM entries WHERE phase = 'outcome' ORDER BY seq").all();
    db.close();
    still = rows.length === before ? still + 1 : 0;
    if (still === 3) return rows.map(toRecord);
    before = rows.length;
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

function toRecord(row: Record<string, unknown>): AuditRecord {
  const list = (value: unknown) => (typeof value === 'string' ? (JSON.parse(value) as string[]) : []);
  return {
    ...row,
    scopes: list(row['scopes']),
    scopes_required: list(row['scopes_required']),
  } as unknown as AuditRecord;
}

export const modernVersion = '2026-07-28';

/** A modern request with all that it needs, sent by fetch. */
export function modernCall(
  url: string,
  token: string | null,
  call: {
    method: string;
    params?: Record<string, unknown>;
    id?: number | string;
    headers?: Record<string, string>;
  },
): Promise<Response> {
  const params = {
    ...call.params,
    _meta: {
      'io.modelcontextprotocol/protocolVersion': modernVersion,
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  };
  const name = call.params?.['name'] ?? call.params?.['uri'];
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': modernVersion,
      'mcp-method': call.method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...call.headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: call.id ?? 1, method: call.method, params }),
  });
}

export const callTool = (
  url: string,
  token: string | null,
  name: string,
  args: Record<string, unknown> = {},
) => modernCall(url, token, { method: 'tools/call', params: { name, arguments: args } });

/** The JSON-RPC response of an answer, whether it came as JSON or as a stream. */
export async function rpc(
  response: Response,
): Promise<{ result?: Record<string, unknown>; error?: RpcError }> {
  const text = await response.text();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return JSON.parse(text);
  const data = text.split('\n').filter((line) => line.startsWith('data:') && line.length > 6);
  return JSON.parse(data.at(-1)?.slice(5) ?? 'null');
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: Record<string, unknown>;
}

/** Waits until `check` passes; fails with its last complaint. */
export async function until(check: () => void | Promise<void>, withinMs = 4000): Promise<void> {
  const last = performance.now() + withinMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > last) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Sends bytes as they are and gives back all that comes, for what no HTTP client would send. */
export function rawRequest(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    const timer = setTimeout(() => socket.destroy(), 3000);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => socket.destroy()); // a reset is an answer too
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}
