import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { home, run, start, type Where } from '../../cli/support/run.ts';
import { freePort, modernVersion, rawRequest, until } from '../../gateway/support.ts';
import { startIssuer, type TestIssuer } from '../../identity/issuer.ts';
import { Canaries } from './canaries.ts';
import { type ScriptedUpstream, startScriptedUpstream } from './upstream.ts';

export interface World {
  readonly canaries: Canaries;
  readonly upstream: ScriptedUpstream;
  readonly issuer: TestIssuer;
  /** Never answered. */
  readonly deadIssuer: TestIssuer;
  readonly staticKey: string;
  readonly running: Running;
  readonly origin: string;
  readonly port: number;
  readonly cwd: string;
  readonly data: string;
  url(server: string): string;
  /** A token of the issuer; it is a canary itself. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** One request with a canary in every place that a request has. */
  send(options?: Sending): Promise<{ readonly status: number; readonly text: string }>;
  raw(text: string): Promise<string>;
  /** What Prometheus is told: with its token, with another, and with none. */
  scrape(): Promise<void>;
  command(...parameters: string[]): Promise<void>;
  /** Reasons of the records written so far, in the copy. */
  reasons(): string[];
  /** Every place that anything was written to, by name. */
  places(): Map<string, string>;
}

export interface Sending {
  readonly server?: string;
  /** Null: none. */
  readonly token?: string | null;
  readonly scheme?: string;
  readonly tool?: string;
  readonly args?: Record<string, unknown>;
  readonly message?: Record<string, unknown>;
  readonly body?: string;
  readonly httpMethod?: string;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly address?: string;
}

export interface WorldOptions {
  readonly servers?: (world: { upstream: string; dead: string }) => string;
  readonly rest?: string;
  readonly environment?: (canaries: Canaries) => Record<string, string>;
}

/** The real program with every sink there is, and everything that anybody says of it kept. */
export async function startWorld(t: TestContext, options: WorldOptions = {}): Promise<World> {
  const canaries = new Canaries();
  const upstream = await startScriptedUpstream();
  const [issuer, deadIssuer] = await Promise.all([startIssuer(), startIssuer()]);
  await deadIssuer.stop();
  const collector = await startCollector();
  t.after(async () => {
    await Promise.all([upstream.close(), issuer.stop(), collector.close()]);
  });
  const cwd = home(t);
  const [port, dead, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const scrapeToken = canaries.make('token of Prometheus');
  const origin = `http://127.0.0.1:${port}`;
  const staticKey = canaries.make('static key');
  const env = {
    UPSTREAM_KEY: canaries.make('key of the upstream'),
    STATIC_KEY: staticKey,
    SCRAPE_TOKEN: scrapeToken,
    SINK_KEY: canaries.make('key of a sink'),
    HOOK_SECRET: canaries.make('secret of a webhook'),
    CONNECT_SECRET: canaries.make('client secret at the provider of an upstream'),
    VAULT_KEY: canaries.add('vault key', randomBytes(32).toString('base64')),
    UNUSED: canaries.make('variable that nothing names'),
    ...options.environment?.(canaries),
  };
  const file = join(cwd, 'portcullis.yaml');
  const deadUrl = `http://127.0.0.1:${dead}`;
  writeFileSync(
    file,
    `
publicUrl: ${origin}
listen: { port: ${port} }
data: ./data
trustedProxies: [127.0.0.1/32]
servers:
${(options.servers ?? allServers)({ upstream: upstream.url, dead: deadUrl })}
auth:
  revocation: { withinSeconds: 1 }
  vaultKey: { env: VAULT_KEY }
  embedded: {}
  issuers:
${[issuer, deadIssuer].map((one) => `    - { issuer: "${one.issuer}", audience: [${origin}/main/mcp, ${origin}/dpop/mcp, ${origin}/nonce/mcp, ${origin}/own/mcp, ${origin}/down/mcp], claims: { organization: org } }`).join('\n')}
tools:
  - { match: limited, limit: 1/min, scope: mcp:tools:read }
  - { match: confirmed, confirm: other, scope: mcp:tools:read }
  - { match: undecided, when: "args.amount > 100", scope: mcp:tools:read }
  - { match: stopped, scope: mcp:tools:read }
  - { match: writes, scope: mcp:tools:write }
  - { match: "*", hint: readOnly, scope: mcp:tools:read }
http: { drainSeconds: 1, maxBodyBytes: 65536 }
alerts: { webhook: { url: "${collector.url}/alerts", secret: { env: HOOK_SECRET } } }
telemetry: { otlp: "${collector.url}/telemetry", headers: { authorization: { env: SINK_KEY } }, metrics: { every: 1s }, prometheus: { listen: { host: 127.0.0.1, port: ${metricsPort} }, token: { env: SCRAPE_TOKEN } } }
audit:
  also:
    - { file: ./copy.jsonl }
    - { stdout: true }
    - { otlp: "${collector.url}/otlp", headers: { authorization: { env: SINK_KEY } } }
    - { webhook: { url: "${collector.url}/webhook", secret: { env: HOOK_SECRET }, headers: { x-key: { env: SINK_KEY } } } }
${options.rest ?? 'limits: { client: 40/min, organization: 60/min, address: 100000/min, addressFailures: 50/min, concurrent: { client: 3 }, loop: { identical: 5, within: 60s } }'}
`,
  );
  const command = async (...parameters: string[]): Promise<void> => {
    const { code, stdout, stderr } = await run(parameters, { cwd, env });
    said.push(stdout, stderr);
    if (code !== 0) throw new Error(stderr);
  };
  const said: string[] = [];
  const answers: string[] = [];
  const scraped: string[] = [];
  const running = await startServing(t, file, { cwd, env });
  let number = 0;
  const world: World = {
    ...{ canaries, upstream, issuer, deadIssuer, staticKey, running, origin, port, cwd, command },
    data: join(cwd, 'data'),
    url: (server) => `${origin}/${server}/mcp`,
    async token(claims = {}, header = {}) {
      number += 1;
      const own = {
        aud: `${origin}/main/mcp`,
        scope: 'mcp:tools:read',
        jti: `jti-${number}-${randomBytes(4).toString('hex')}`,
      };
      const token = await issuer.sign(
        { ...own, client_id: `client-${number}`, sub: `person-${number}`, ...claims },
        header,
      );
      canaries.add('a token', token.split('.')[2] ?? token);
      return token;
    },
    async send(sending = {}) {
      const answer = await fetch(...requestOf(world, sending));
      const text = await answer.text();
      answers.push(JSON.stringify([...answer.headers]), text);
      return { status: answer.status, text };
    },
    async scrape() {
      for (const token of [scrapeToken, canaries.make('another token for Prometheus'), null]) {
        const headers = token === null ? {} : { authorization: `Bearer ${token}` };
        const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { headers });
        scraped.push(JSON.stringify([...answer.headers]), await answer.text());
      }
    },
    async raw(text) {
      const answer = await rawRequest(port, text);
      answers.push(answer);
      return answer;
    },
    reasons: () =>
      readFileSync(join(cwd, 'copy.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => String((JSON.parse(line) as { reason?: unknown }).reason ?? '')),
    places: () => {
      const places = new Map([
        ['standard output', running.stdout()],
        ['the log', running.stderr()],
        ['an answer', answers.join('\n')],
        ['what Prometheus got', scraped.join('\n')],
        ['the terminal of a command', said.join('\n')],
        ['the process list', processList()],
        ...collector.received(),
      ]);
      for (const one of globSync(['data/**/*', '*.jsonl'], { cwd, withFileTypes: true })) {
        if (!one.isFile()) continue;
        places.set(one.name, readFileSync(join(one.parentPath, one.name), 'latin1'));
      }
      return places;
    },
  };
  return world;
}

interface Running {
  stdout(): string;
  stderr(): string;
  stop(): Promise<number | null>;
}

/** Records have standard output: the ready line is on the other one. */
async function startServing(t: TestContext, file: string, where: Where): Promise<Running> {
  const child = start(['serve', '--config', file, '--json', '--log-level', 'debug'], where);
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  await until(() => {
    assert.equal(child.exitCode, null, texts.stderr);
    assert.match(texts.stderr, /"ready":true/);
  }, 30_000);
  return {
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    async stop() {
      child.kill('SIGTERM');
      return (await exited)[0];
    },
  };
}

function allServers({ upstream, dead }: { upstream: string; dead: string }): string {
  const headers = 'headers: { x-api-key: { env: UPSTREAM_KEY } }';
  const key =
    'staticKeys: [{ name: old, key: { env: STATIC_KEY }, until: 2020-01-31, scopes: [mcp:tools:read] }]';
  return `
  main: { path: /main/mcp, ${key}, upstream: { url: "${upstream}", ${headers}, timeout: 1s } }
  dpop: { path: /dpop/mcp, dpop: required, upstream: { url: "${upstream}", ${headers} } }
  nonce: { path: /nonce/mcp, dpop: required, dpopNonce: true, upstream: { url: "${upstream}", ${headers} } }
  down: { path: /down/mcp, upstream: { url: "${dead}/mcp", ${headers} } }
  own: { path: /own/mcp, upstream: { url: "${upstream}", connect: { issuer: "${dead}", clientId: portcullis, clientSecret: { env: CONNECT_SECRET } } } }`;
}

function requestOf({ canaries, url }: World, sending: Sending): [string, RequestInit] {
  const { server = 'main', token = null, scheme = 'Bearer', tool = 'good', httpMethod = 'POST' } = sending;
  const args = { secret: canaries.make('an argument'), ...sending.args };
  const message = sending.message ?? { method: 'tools/call', params: { name: tool, arguments: args } };
  const params = message['params'] as Record<string, unknown> | undefined;
  const meta = {
    'io.modelcontextprotocol/protocolVersion': modernVersion,
    'io.modelcontextprotocol/clientInfo': { name: 'canaries', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    'example.com/secret': canaries.make('_meta'),
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...message, params: { ...params, _meta: meta } });
  const headers: Record<string, string | null> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': modernVersion,
    'mcp-method': String(message['method']),
    'mcp-name': typeof params?.['name'] === 'string' ? params['name'] : null,
    'x-forwarded-for': sending.address ?? '203.0.113.7',
    authorization: token === null ? null : `${scheme} ${token}`,
    cookie: `session=${canaries.make('a cookie')}`,
    'x-internal-key': canaries.make('a header'),
    'last-event-id': canaries.make('Last-Event-ID'),
    baggage: `k=${canaries.make('baggage')}`,
    ...sending.headers,
  };
  return [
    `${url(server)}?session=${canaries.make('a query')}`,
    {
      method: httpMethod,
      headers: Object.entries(headers).filter((one): one is [string, string] => one[1] !== null),
      ...(httpMethod === 'GET' || httpMethod === 'DELETE' ? {} : { body: sending.body ?? body }),
    },
  ];
}

async function startCollector() {
  const received = new Map<string, string>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    // Headers carry the keys of the sinks; the body is what is told.
    const place = `what ${request.url} got`;
    received.set(place, (received.get(place) ?? '') + Buffer.concat(chunks).toString('latin1'));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => received,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What `ps` shows of everybody's commands. */
export function processList(): string {
  if (!existsSync('/proc')) return '';
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1');
      } catch {
        return ''; // ended meanwhile
      }
    })
    .join('\n');
}

export { until };
