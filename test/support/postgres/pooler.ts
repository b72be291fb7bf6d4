import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';

const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'].find((path) =>
  existsSync(path),
);

/** A pgbouncer in transaction mode: clients share its connections to the server. */
export interface Pooler {
  url(database: string): string;
}

/** Null where it is not installed. Ends with the test. */
export async function startPooler(t: TestContext, server: string): Promise<Pooler | null> {
  if (program === undefined) {
    if (process.env['CI']) throw new Error('no pgbouncer on this machine: apt-get install pgbouncer');
    return null;
  }
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-pooler-'));
  chmodSync(directory, 0o755);
  const port = await freePort();
  const file = join(directory, 'pgbouncer.ini');
  const { port: serverPort } = new URL(server);
  writeFileSync(
    file,
    `[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = options,statement_timeout,extra_float_digits
`,
  );
  const root = process.getuid?.() === 0;
  const child = spawn(program, ['-q', file, ...(root ? ['-u', 'postgres'] : [])], { stdio: 'ignore' });
  t.after(async () => {
    await ended(child);
    rmSync(directory, { recursive: true, force: true });
  });
  const url = (database: string) => `postgres://postgres:none@127.0.0.1:${port}/${database}`;
  await answering(url('postgres'));
  return { url };
}

async function answering(connectionString: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const client = new pg.Client({ connectionString });
    try {
      await client.connect();
      return;
    } catch {
      await wait(50); // it starts
    } finally {
      await client.end().catch(() => {});
    }
  }
  throw new Error('pgbouncer does not answer');
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
