import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  alice,
  type RunningAuthorizationServer,
  register,
  signInAndConsent,
  startAuthorizationServer,
} from '../authorization-server/support.ts';

const runner = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));
const documentUrl = 'https://client.example/conformance.json';

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** The official suite's `authorization` mode, which opens no browser: the person is played here. */
describe('the official conformance suite against the authorization server', { timeout: 120_000 }, () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    const document = {
      client_id: documentUrl,
      client_name: 'Conformance',
      redirect_uris: ['http://127.0.0.1/callback'],
      token_endpoint_auth_method: 'none',
    };
    const cimdFetch = (async () => Response.json(document)) as unknown as typeof fetch;
    as = await startAuthorizationServer({ options: { cimdFetch } });
  });
  after(() => as.close());

  const clients: Record<string, () => Promise<string[]>> = {
    'a client that registered': async () => [
      '--client-id',
      (await register(as, { redirect_uris: ['http://127.0.0.1/callback'] })).client_id,
    ],
    'a client ID metadata document': async () => ['--client-id', documentUrl],
  };
  for (const [what, parameters] of Object.entries(clients)) {
    it(`passes every check with ${what}`, async (test) => {
      const checks = await runAuthorizationSuite(as.issuer, await parameters());
      test.diagnostic(checks.map(({ id, status }) => `${id}: ${status}`).join(', '));
      assert.deepEqual(
        checks.filter(({ status }) => status !== 'SUCCESS'),
        [],
      );
      assert.deepEqual(checks.map(({ id }) => id).sort(), [
        'authorization-code-grant',
        'authorization-server-metadata',
        'authorization-server-metadata-cimd',
      ]);
    });
  }
});

async function runAuthorizationSuite(issuer: string, parameters: string[]): Promise<Check[]> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-conformance-as-'));
  try {
    const port = String(await freePort());
    const suite = spawn(
      process.execPath,
      [runner, 'authorization', '--url', issuer, '--port', port, '-o', directory, ...parameters],
      { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 },
    );
    const closed = once(suite, 'close');
    let output = '';
    let visited = false;
    for (const stream of [suite.stdout, suite.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
        const [url] = /http:\/\/\S+\/authorize\?\S+(?=\s)/.exec(output) ?? [];
        if (url === undefined || visited) return;
        visited = true;
        void signInAndConsent(url, alice).then((back) => fetch(back));
      });
    }
    await closed;
    const checks = await readChecks(directory);
    assert.ok(checks.length > 0, output);
    return checks;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readChecks(directory: string): Promise<Check[]> {
  const files = (await readdir(directory, { recursive: true })).filter((file) =>
    file.endsWith('checks.json'),
  );
  const lists = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
  return lists.flatMap((list) => JSON.parse(list) as Check[]);
}

/** The suite takes a port and no `0`. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
