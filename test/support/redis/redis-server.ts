import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// The machine's own redis-server (or valkey-server), one for each test file that asks, on a port of its own.

/** A real server whose process the test may pause, kill and start anew. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** SIGSTOP: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** SIGKILL: what it held is gone. */
  kill(): Promise<void>;
  /** On the same port. */
  restart(): Promise<void>;
  /** Sends one command of plain words and gives its answer as Redis wrote it. */
  command(...words: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

const program = ['redis-server', 'valkey-server'].find(isInstalled);

/** Without it the tests skip; where CI is set they fail instead. */
export const isRedisInstalled = program !== undefined || Boolean(process.env['CI']);

function isInstalled(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  if (program === undefined) throw new Error('no redis-server on this machine: apt-get install redis-server');
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-redis-'));
  const port = await freePort();
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(program, [...fixed(port, directory), ...settings], { stdio: 'ignore' });
    await answering(port, child);
    return child;
  };
  let child = await start();
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill,
    async restart() {
      await kill();
      child = await start();
    },
    command: (...words) => command(port, words),
    async close() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function fixed(port: number, directory: string): string[] {
  const settings = {
    port,
    dir: directory,
    bind: '127.0.0.1',
    save: '',
    appendonly: 'no',
    loglevel: 'warning',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) throw new Error('redis-server ended at once');
    const answer = await command(port, ['PING']).catch(() => '');
    if (answer.startsWith('+PONG')) return;
    await sleep(25);
  }
  throw new Error('redis-server does not answer');
}

function command(port: number, words: readonly string[]): Promise<string> {
  const text = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`*${words.length}\r\n${text}*1\r\n$4\r\nQUIT\r\n`),
    );
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer.replace(/\+OK\r\n$/, '')));
  });
}
