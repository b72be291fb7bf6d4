import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auth } from '@modelcontextprotocol/client';
import { signInAndConsent } from '../authorization-server/support.ts';
import { allScopes, freePort, generousLimits } from '../clients/gateway.ts';
import { type Browser, createProvider } from '../clients/provider.ts';

const program = fileURLToPath(new URL('../../bin/portcullis.js', import.meta.url));
const admin = { name: 'alice', password: 'correct horse battery staple' };

/** The gateway as an operator starts it: `portcullis serve --config FILE --json`. */
export interface GatewayProcess {
  readonly origin: string;
  /** The line that `--json` prints when ready. */
  readonly ready: { readonly servers: readonly { readonly url: string }[]; readonly issuer: string };
  close(): Promise<void>;
}

export async function startGatewayProcess(options: {
  readonly publicUrl: string;
  readonly upstream: Record<string, unknown>;
  /** Where it listens; any free port, when left out. */
  readonly port?: number;
  /** `auth` of the file; the embedded server with an administrator's password, when left out. */
  readonly auth?: Record<string, unknown>;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<GatewayProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-serve-'));
  const data = join(directory, 'data');
  const port = options.port ?? (await freePort());
  const file = join(directory, 'portcullis.yaml');
  const config = {
    publicUrl: options.publicUrl,
    listen: { port },
    data,
    servers: { fixture: { path: '/mcp', upstream: options.upstream } },
    ...(options.auth && { auth: options.auth }),
    limits: generousLimits,
    http: { drainSeconds: 1 },
    tools: [
      { match: '*', hint: 'readOnly', scope: 'mcp:tools:read' },
      { match: '*', scope: 'mcp:tools:write' },
    ],
  };
  await writeFile(file, JSON.stringify(config));
  if (!options.auth) await addAdministrator(data);
  const gateway = spawn(process.execPath, [program, 'serve', '--config', file, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
  });
  const ready = await readyLine(gateway);
  return {
    origin: `http://127.0.0.1:${port}`,
    ready,
    async close() {
      const exited = once(gateway, 'exit');
      gateway.kill('SIGTERM');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function addAdministrator(data: string): Promise<void> {
  const args = ['users', 'add', admin.name, '--password-stdin', '--role', 'admin', '--data', data];
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(`${admin.password}\n`);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`users add ended with ${code}`);
}

async function readyLine(gateway: ChildProcess): Promise<GatewayProcess['ready']> {
  let out = '';
  let log = '';
  gateway.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    log = (log + chunk).slice(-10_000);
  });
  const ended = once(gateway, 'exit').then(() => {
    throw new Error(`the gateway ended before it was ready: ${log}`);
  });
  const ready = new Promise<string>((resolve) => {
    gateway.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
      if (out.includes('\n')) resolve(out.slice(0, out.indexOf('\n')));
    });
  });
  // After the ready line an exit is the test's own doing.
  ended.catch(() => {});
  const line = await Promise.race([ready, ended]);
  const answer = JSON.parse(line);
  if (answer.ok === false) throw new Error(`the gateway does not start: ${line}`);
  return answer;
}

/** Registers a client, signs the administrator in (or whom `browser` plays), and gives a token with every scope. */
export async function obtainToken(
  serverUrl: string,
  browser: Browser = (url) => signInAndConsent(url, admin),
): Promise<string> {
  const provider = createProvider(browser);
  const scope = allScopes.filter((name) => name !== 'mcp:tools:admin').join(' ');
  await auth(provider, { serverUrl, scope });
  const callback = provider.takeCallback();
  const iss = callback.get('iss') ?? '';
  await auth(provider, { serverUrl, authorizationCode: callback.get('code') ?? '', iss });
  const token = provider.tokens()?.access_token;
  if (token === undefined) throw new Error('no token');
  return token;
}
