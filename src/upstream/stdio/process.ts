import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock, Log } from '../../base/index.ts';
import type { StdioLimits } from './limits.ts';
import { LineSplitter } from './lines.ts';
import { forgetGroup, signalGroup, trackGroup } from './process-group.ts';
import { StderrLog } from './stderr.ts';

export interface ProcessOptions {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string | null;
  readonly environment: Record<string, string>;
  readonly limits: StdioLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** Named in every log line. */
  readonly server: string;
  readonly redact: (text: string) => string;
}

export interface ProcessEvents {
  line(bytes: Buffer): void;
  /** Once, after the last line. The reason is fit for a log. */
  ended(reason: string): void;
}

/** Time for output that is still in the pipe when the process is gone. */
const drainMs = 200;
const pollMs = 25;
/** After SIGKILL only a process in uninterruptible sleep is left, and it ends when it wakes. */
const killWaitMs = 1000;

/** A running server: its pipes, its process group and its end. */
export class ServerProcess {
  readonly #options: ProcessOptions;
  readonly #events: ProcessEvents;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #stderr: StderrLog;
  readonly #stdout: LineSplitter;
  #exited = false;
  #ended = false;
  #stopping: Promise<void> | null = null;

  constructor(options: ProcessOptions, events: ProcessEvents) {
    this.#options = options;
    this.#events = events;
    this.#child = startChild(options);
    const fields = { server: options.server, pid: this.#child.pid };
    this.#stderr = new StderrLog({ log: options.log, clock: options.clock, fields, redact: options.redact });
    const handler = { line: (bytes: Buffer) => this.#line(bytes), tooLong: () => this.#tooLong() };
    this.#stdout = new LineSplitter(handler, options.limits.maxMessageBytes);
    if (this.#child.pid !== undefined) trackGroup(this.#child.pid);
    this.#listen();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Writes one line.
   * @returns false where the child has gone or reads too slowly; then nothing was written
   */
  write(line: string): boolean {
    const { stdin } = this.#child;
    if (this.#exited || !stdin.writable) return false;
    if (stdin.writableLength > this.#options.limits.maxStdinQueueBytes) return false;
    stdin.write(`${line}\n`);
    return true;
  }

  /** Orderly stop (2026-07-28 stdio, section Shutdown). Resolves when the whole group is gone. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #listen(): void {
    const child = this.#child;
    child.stdout.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // EPIPE and the like: the exit that follows tells the story
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
    child.on('error', (error) => this.#gone(`could not be started: ${error.message}`));
    child.on('exit', (code, signal) =>
      this.#exit(signal ? `ended by ${signal}` : `exited with code ${code}`),
    );
  }

  #line(bytes: Buffer): void {
    if (!this.#ended) this.#events.line(bytes);
  }

  #tooLong(): void {
    this.#gone('wrote a message beyond the size limit');
    this.#signal('SIGKILL');
    void this.stop();
  }

  #exit(reason: string): void {
    this.#exited = true;
    const finish = () => {
      clearTimeout(timer);
      this.#stdout.flush();
      this.#stderr.flush();
      const last = this.#stderr.last();
      this.#gone(last ? `${reason}: ${last}` : reason);
    };
    // a grandchild can hold the pipes open for ever, so 'close' alone is not waited for
    const timer = setTimeout(finish, drainMs);
    this.#child.once('close', finish);
    void this.stop();
  }

  #gone(reason: string): void {
    if (this.#child.pid === undefined) this.#exited = true;
    if (this.#ended) return;
    this.#ended = true;
    this.#events.ended(reason);
  }

  async #stop(): Promise<void> {
    const { closeGraceMs, terminateGraceMs } = this.#options.limits;
    const { pid } = this.#child;
    if (pid === undefined) return;
    this.#child.stdin.end();
    await this.#wait(closeGraceMs, () => this.#exited);
    if (this.#signal('SIGTERM')) await this.#wait(terminateGraceMs, () => this.#isGone());
    // nothing survives this signal, so others than the leader are not waited for: an init may leave them as zombies
    if (this.#signal('SIGKILL')) {
      await this.#wait(killWaitMs, () => this.#exited);
      await this.#wait(drainMs, () => this.#isGone());
    }
    await this.#wait(2 * drainMs, () => this.#ended);
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
    forgetGroup(pid);
  }

  #signal(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child;
    if (pid === undefined || (process.platform === 'win32' && this.#exited)) return false;
    return signalGroup(pid, signal);
  }

  #isGone(): boolean {
    return this.#exited && !this.#signal(0);
  }

  async #wait(ms: number, done: () => boolean): Promise<void> {
    for (let waited = 0; waited < ms && !done(); waited += pollMs) {
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

function startChild(options: ProcessOptions): ChildProcessByStdio<Writable, Readable, Readable> {
  const [program, ...args] = options.command;
  return spawn(program, args, {
    env: options.environment,
    stdio: ['pipe', 'pipe', 'pipe'],
    shell: false,
    // a group of its own, so that what it starts can be ended with it
    detached: process.platform !== 'win32',
    windowsHide: true,
    ...(options.cwd === null ? {} : { cwd: options.cwd }),
  });
}
