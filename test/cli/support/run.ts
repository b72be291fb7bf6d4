import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

export const root = resolve(import.meta.dirname, '../../..');
export const everything = join(root, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');

/** A home of its own, gone with the test. */
export function home(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-cli-')));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Where {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Longer than any command takes on a slow machine: one that hangs fails its test and does not outlive it. */
const hangs = 60_000;

const compileCache = process.env['NODE_COMPILE_CACHE'];

/** Starts the real program. Nothing of our own environment but PATH, and what the suite keeps ready, reaches it. */
export function start(parameters: readonly string[], { cwd, env = {} }: Where): ChildProcess {
  return spawn(process.execPath, [join(root, 'bin/portcullis.js'), ...parameters], {
    cwd,
    env: {
      PATH: process.env['PATH'],
      HOME: cwd,
      ...(compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache }),
      ...env,
    },
    stdio: 'pipe',
    timeout: hangs,
    killSignal: 'SIGKILL',
  });
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end. */
export async function run(parameters: readonly string[], where: Where, stdin = ''): Promise<Finished> {
  const child = start(parameters, where);
  child.stdin?.on('error', () => {}).end(stdin);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...texts };
}

export interface Running {
  readonly child: ChildProcess;
  /** The ready line, parsed. */
  readonly ready: Ready;
  stderr(): string;
  /** Everything on stdout so far. */
  stdout(): string;
  /** Waits until stderr has this text. */
  says(text: string): Promise<void>;
  /** Sends the signal and gives the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface Ready {
  readonly ready: true;
  readonly servers: readonly { name: string; url: string }[];
  readonly issuer: string | null;
  readonly console: string | null;
  readonly setup: string | null;
  readonly audit: string;
}

/** Starts a gateway with `--json` and waits for its line. It ends with the test. */
export async function gateway(t: TestContext, parameters: readonly string[], where: Where): Promise<Running> {
  const child = start(parameters, where);
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  let [stdout, stderr] = ['', ''];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  const first = new Promise<string>((found) => {
    lines.on('line', (line) => {
      stdout += `${line}\n`;
      found(line);
    });
  });
  const line = await Promise.race([
    first,
    exited.then(([code]) => Promise.reject(new Error(`exit ${code}: ${stderr}`))),
  ]);
  const ready = JSON.parse(line) as Ready;
  if (!ready.ready) throw new Error(line);
  return {
    child,
    ready,
    stdout: () => stdout,
    stderr: () => stderr,
    async says(text) {
      const giveUp = AbortSignal.timeout(10_000);
      while (!stderr.includes(text)) await once(child.stderr ?? child, 'data', { signal: giveUp });
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return (await exited)[0];
    },
  };
}
