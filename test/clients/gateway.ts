import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { type Gateway, startGateway } from '../../src/gateway/index.ts';
import { startIssuer, type TestIssuer } from '../identity/issuer.ts';

/** A gateway of this process, from a configuration file of its own. */
export interface TestGateway extends Gateway {
  /** Where it listens: `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** Its data directory, gone after `close`. */
  readonly data: string;
}

export interface TestGatewayOptions {
  /** What clients type; where it listens, when left out. */
  readonly publicUrl?: string;
  /** The file without `publicUrl`, `listen` and `data`. */
  readonly config: Record<string, unknown>;
  /** People who can sign in. */
  readonly accounts?: readonly Account[];
  /** For what no file may say, such as a token lifetime of seconds. */
  readonly adjust?: (config: Config) => Config;
  /** Answers for the hosts of client metadata documents. */
  readonly clientMetadataFetch?: typeof fetch;
}

export interface Account {
  readonly name: string;
  readonly password: string;
  readonly role: 'admin' | 'user';
}

export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const { publicUrl, config, accounts = [], adjust = (loaded) => loaded } = options;
  const data = await mkdtemp(join(tmpdir(), 'portcullis-test-'));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const file = join(data, 'portcullis.yaml');
  const written = { publicUrl: publicUrl ?? origin, listen: { port }, data: join(data, 'data'), ...config };
  await writeFile(file, JSON.stringify(written));
  const loaded = await loadConfig({ file, cwd: data, environment: process.env });
  await addAccounts(join(data, 'data'), accounts);
  const gateway = await startGateway({
    config: adjust(loaded.config),
    clock: systemClock,
    log: silentLog,
    environment: process.env,
    ...(options.clientMetadataFetch ? { clientMetadataFetch: options.clientMetadataFetch } : {}),
  });
  return {
    ...gateway,
    origin,
    data: join(data, 'data'),
    async close() {
      await gateway.close();
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function addAccounts(data: string, accounts: readonly Account[]): Promise<void> {
  if (accounts.length === 0) return;
  await mkdir(data, { recursive: true, mode: 0o700 });
  const store = openAccounts(data, systemClock);
  for (const { name, password, role } of accounts)
    await store.add({ name, password: new Secret(password), role });
  store.close();
}

/** Limits that no test reaches by accident. */
export const generousLimits = {
  client: 'none',
  organization: 'none',
  address: '1000000/min',
  addressFailures: '1000000/min',
  concurrent: { client: 1000, upstream: 10000 },
};

export const allScopes = [
  'mcp:tools:read',
  'mcp:tools:write',
  'mcp:tools:admin',
  'mcp:resources:read',
  'mcp:prompts:read',
];

export interface IssuedGateway {
  readonly gateway: TestGateway;
  readonly issuer: TestIssuer;
  /** A token for the gateway's `/mcp` with these scopes. */
  token(claims?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

/** A gateway in front of one upstream that takes the tokens of a test issuer. */
export async function startIssuedGateway(
  upstream: Record<string, unknown>,
  options: { publicUrl?: string; config?: Record<string, unknown> } = {},
): Promise<IssuedGateway> {
  const issuer = await startIssuer();
  const audience = 'https://portcullis.test/mcp';
  const gateway = await startTestGateway({
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    config: {
      servers: { fixture: { path: '/mcp', upstream } },
      auth: { issuers: [{ issuer: issuer.issuer, audience, jwksUri: `${issuer.issuer}/jwks` }] },
      limits: generousLimits,
      http: { drainSeconds: 1 },
      ...options.config,
    },
  });
  let tokens = 0;
  return {
    gateway,
    issuer,
    token: (claims = {}) =>
      issuer.sign({ aud: audience, scope: allScopes.join(' '), jti: `token-${++tokens}`, ...claims }),
    async close() {
      await gateway.close();
      await issuer.stop();
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
