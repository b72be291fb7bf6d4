import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Gateway, startGateway } from '../../src/gateway/index.ts';
import { freePort, modernVersion } from './support.ts';

/** One of several gateways behind one public URL, with a data directory of its own. */
export interface Replica {
  readonly gateway: Gateway;
  readonly dataDir: string;
  readonly configFile: string;
  /** Calls a tool as somebody whom a load balancer sent here. @returns the status */
  call(headers: Record<string, string>): Promise<number>;
}

export interface Replicas {
  /** What clients type. */
  readonly url: string;
  start(t: TestContext): Promise<Replica>;
}

/** @param options `rest` is YAML at the top level, the same for all */
export async function replicas(options: {
  upstream: string;
  server?: string;
  rest: (url: string) => string;
  environment: Record<string, string>;
}): Promise<Replicas> {
  const publicUrl = `http://127.0.0.1:${await freePort()}`;
  return {
    url: `${publicUrl}/mcp`,
    async start(t) {
      const port = await freePort();
      const dataDir = await mkdtemp(join(tmpdir(), 'portcullis-replica-'));
      const configFile = join(dataDir, 'portcullis.yaml');
      const lines = [
        `publicUrl: ${publicUrl}`,
        `listen: { host: 127.0.0.1, port: ${port} }`,
        `data: ${dataDir}`,
        `servers: { notes: { path: /mcp, ${options.server ?? ''} upstream: { url: "${options.upstream}" } } }`,
        options.rest(`${publicUrl}/mcp`),
      ];
      await writeFile(configFile, `${lines.join('\n')}\n`);
      const { environment } = options;
      const { config } = await loadConfig({ file: configFile, environment, cwd: dataDir });
      const gateway = await startGateway({ config, clock: systemClock, log: silentLog, environment });
      t.after(async () => {
        await gateway.close();
        await rm(dataDir, { recursive: true, force: true });
      });
      return { gateway, dataDir, configFile, call: (headers) => callAt({ port, publicUrl, headers }) };
    },
  };
}

interface Sent {
  readonly port: number;
  readonly publicUrl: string;
  readonly headers: Record<string, string>;
}

function callAt({ port, publicUrl, headers }: Sent): Promise<number> {
  const params = {
    name: 'echo',
    arguments: { text: 'x' },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': modernVersion,
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path: '/mcp',
      method: 'POST',
      agent: false,
      headers: {
        host: new URL(publicUrl).host,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': modernVersion,
        'mcp-method': 'tools/call',
        'mcp-name': 'echo',
        ...headers,
      },
    });
    sent.on('error', reject);
    sent.on('response', (answer) => answer.resume().on('end', () => resolve(answer.statusCode ?? 0)));
    sent.end(body);
  });
}
