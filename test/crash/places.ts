import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import type { AuditStore } from '../../src/audit/index.ts';
import { Secret } from '../../src/base/index.ts';
import { startPostgres } from '../support/postgres/index.ts';

/** What goes wrong while the gateway serves, beside its death at the end of each round. */
export interface Disturbance {
  readonly name: string;
  /** Before the gateway starts; where it gives something, the gateway must not start until that was called. */
  before?(): Promise<() => Promise<void>>;
  /** While it serves: ends once what was wrong is right again. */
  during?(): Promise<void>;
}

/** Where the trail of a run is, and all that can go wrong there. */
export interface Place {
  readonly dataDir: string;
  readonly store: AuditStore;
  /** Lines of the configuration. */
  readonly configuration: string;
  readonly disturbances: readonly Disturbance[];
  close(): Promise<void>;
}

/** Its gateway is killed, and that is all. */
const nothing: Disturbance = { name: 'killed' };
const some = (most: number) => wait(Math.random() * most);

/** An embedded store that another process locks, at times for longer than the 5 s that an append waits. */
export async function lockedPlace(longestMs = 6_500): Promise<Place> {
  const dataDir = await mkdtemp(join(tmpdir(), 'portcullis-crash-'));
  const locked: Disturbance = {
    name: 'locked',
    async during() {
      await some(300);
      const db = new DatabaseSync(join(dataDir, 'audit.db'), { timeout: 2_000 });
      db.exec('BEGIN IMMEDIATE');
      await some(longestMs);
      db.exec('ROLLBACK');
      db.close();
      await some(800);
    },
  };
  const close = () => rm(dataDir, { recursive: true, force: true });
  const store = { dataDir, postgres: null };
  return { dataDir, store, configuration: '', disturbances: [nothing, locked], close };
}

/** Null where nobody may mount. A disk that gets full, and read-only; it has room for the log of SQLite, which grows to 64 MB. */
export async function smallDisk(megabytes = 128): Promise<Place | null> {
  const mount = await mkdtemp(join(tmpdir(), 'portcullis-crash-'));
  const run = (program: string, parameters: readonly string[]) =>
    execFileSync(program, [...parameters, mount], { stdio: 'ignore' });
  try {
    run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'portcullis-crash']);
  } catch {
    await rm(mount, { recursive: true, force: true });
    return null;
  }
  const dataDir = join(mount, 'data');
  await mkdir(dataDir, { mode: 0o700 });
  const filler = join(mount, 'filler');
  const full: Disturbance = {
    name: 'full',
    async during() {
      await some(300);
      await writeFile(filler, Buffer.alloc(megabytes * 1_048_576)).catch(() => {}); // ENOSPC is what it is for
      await some(1_500);
      await rm(filler, { force: true });
      await some(1_000);
    },
  };
  const readOnly: Disturbance = {
    name: 'read-only',
    async before() {
      run('mount', ['-o', 'remount,ro']);
      return async () => {
        run('mount', ['-o', `remount,rw,size=${megabytes}m`]);
      };
    },
  };
  const close = async () => {
    run('umount', []);
    await rm(mount, { recursive: true, force: true });
  };
  const store = { dataDir, postgres: null };
  return { dataDir, store, configuration: '', disturbances: [full, readOnly], close };
}

/** A database whose server is killed, too. */
export async function databasePlace(): Promise<Place> {
  const server = await startPostgres();
  const dataDir = await mkdtemp(join(tmpdir(), 'portcullis-crash-'));
  const secret = join(dataDir, 'postgres.url');
  await writeFile(secret, server.url, { mode: 0o600 });
  const killed: Disturbance = {
    name: 'database killed',
    async during() {
      await some(500);
      await server.kill();
      await some(500);
      await server.restart();
      await some(1_500);
    },
  };
  return {
    dataDir,
    store: { dataDir, postgres: { url: new Secret(server.url) } },
    configuration: `postgres: { url: { file: ${secret} } }\n`,
    disturbances: [nothing, killed],
    async close() {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
