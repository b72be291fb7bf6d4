import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// The machine's own PostgreSQL, one for each test file that asks, in a directory and on a port of its own.

/** A real server whose process the test may kill and start anew. */
export interface PostgresServer {
  /** Of a database that is empty; with a password that is none in particular. */
  readonly url: string;
  /** Makes another empty database and gives its URL. */
  database(name: string): string;
  /** SIGKILL to the postmaster and all of its processes: as if the machine had lost power, but for the disk's cache. */
  kill(): Promise<void>;
  /** On the same port, over the same directory: it recovers from its log. */
  restart(): Promise<void>;
  /** Runs SQL as the superuser and gives what psql printed, unaligned. */
  sql(text: string, database?: string): string;
  /** Another server that follows this one, by a copy of its files and the stream of its log. */
  standby(): Promise<PostgresStandby>;
  close(): Promise<void>;
}

export interface PostgresStandby {
  readonly url: string;
  sql(text: string): string;
  /** It becomes a server of its own. */
  promote(): void;
  close(): Promise<void>;
}

const folder = findPrograms();

/** Without it the tests skip; where CI is set they fail instead. */
export const isPostgresInstalled = folder !== undefined || Boolean(process.env['CI']);

/** Debian keeps them out of PATH, by version: the newest one. */
function findPrograms(): string | undefined {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  const places = [...versions.map((version) => join(base, version, 'bin')), '/usr/local/bin', '/usr/bin'];
  return places.find((place) => existsSync(join(place, 'initdb')) && existsSync(join(place, 'postgres')));
}

/** PostgreSQL refuses to run as root; Debian's package makes this user. */
function unprivileged(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })),
  );
  if (uid === undefined || gid === undefined) throw new Error('no user postgres');
  return { uid, gid };
}

/** @param settings lines of postgresql.conf, such as `fsync=off` */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  if (folder === undefined) throw new Error('no PostgreSQL on this machine: apt-get install postgresql');
  const programs = folder;
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-postgres-'));
  const user = unprivileged();
  if (user) chownSync(directory, user.uid, user.gid);
  const as = { ...(user ?? {}), cwd: directory, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' } };
  const data = join(directory, 'data');
  execFileSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'],
    { ...as, stdio: 'ignore' },
  );
  const main = processOver(programs, { directory, data, as, settings, port: await freePort() });
  await main.start();
  return {
    url: main.url('postgres'),
    database(name) {
      main.sql(`CREATE DATABASE ${name}`);
      return main.url(name);
    },
    kill: main.kill,
    async restart() {
      await main.kill();
      await main.start();
    },
    sql: main.sql,
    async standby() {
      const port = await freePort();
      const copy = join(directory, `standby-${port}`);
      execFileSync(
        join(programs, 'pg_basebackup'),
        ['-d', main.url('postgres'), '-D', copy, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'],
        { ...as, stdio: 'ignore' },
      );
      const other = processOver(programs, { directory, data: copy, as, settings, port });
      await other.start();
      return {
        url: other.url('postgres'),
        sql: other.sql,
        promote: () => void other.sql('SELECT pg_promote()'),
        close: other.kill,
      };
    },
    async close() {
      await main.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Over {
  readonly directory: string;
  readonly data: string;
  readonly port: number;
  readonly settings: readonly string[];
  readonly as: { readonly cwd: string; readonly env: Record<string, string>; uid?: number; gid?: number };
}

/** The server over one directory of data. */
function processOver(programs: string, { directory, data, port, settings, as }: Over) {
  const fixed = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`];
  const options = [...fixed, 'shared_buffers=64MB', ...settings].flatMap((setting) => ['-c', setting]);
  const sql = (text: string, database = 'postgres') =>
    execFileSync(
      join(programs, 'psql'),
      ['-X', '-A', '-t', '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', database, '-c', text],
      { ...as, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    ).trim();
  let child: ChildProcess | null = null;
  return {
    sql,
    url: (database: string) => `postgres://postgres:none@127.0.0.1:${port}/${database}`,
    async start() {
      // A group of its own, so that a kill reaches every process of it.
      child = spawn(join(programs, 'postgres'), ['-D', data, ...options], {
        ...as,
        stdio: 'ignore',
        detached: true,
      });
      await answering(child, () => sql('SELECT 1'));
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      for (const pid of [...childrenOf(child.pid), child.pid]) if (pid !== undefined) killQuietly(pid);
      await ended;
    },
  };
}

/** Each backend leads a process group of its own, so the postmaster's group does not reach them. */
function childrenOf(pid: number | undefined): number[] {
  try {
    return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    return [];
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function answering(child: ChildProcess, ask: () => string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error('postgres ended at once');
    try {
      if (ask() === '1') return;
    } catch {
      // it starts, or recovers
    }
    await sleep(50);
  }
  throw new Error('postgres does not answer');
}
