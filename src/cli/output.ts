import { fstatSync, write } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { neutralJson } from '../base/index.ts';
import type { Environment } from '../config/index.ts';

/** Where a command writes: the only door to the terminal. */
export interface Output {
  /** The answer: stdout. */
  line(text?: string): void;
  /** A part of the answer as it stands; resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** One line of JSON on stdout. */
  json(value: unknown): void;
  /** Anything beside the answer, such as errors and progress: stderr. */
  note(text: string): void;
  /** A prompt on stderr, without a newline. */
  prompt(text: string): void;
  strong(text: string): string;
  faint(text: string): string;
  bad(text: string): string;
  /** A person reads stderr. */
  readonly interactive: boolean;
}

/** Colour goes to terminals alone, and to none where `NO_COLOR` is set (https://no-color.org). */
export function terminalOutput(environment: Environment): Output {
  const { stdout, stderr } = process;
  const plain = Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb';
  const style = (format: 'bold' | 'dim' | 'red', stream: { isTTY?: boolean }) => (text: string) =>
    plain || !stream.isTTY ? text : styleText(format, text, { validateStream: false });
  for (const stream of [stdout, stderr]) endQuietly(stream);
  return {
    line: (text = '') => void stdout.write(`${text}\n`),
    write: (text) => new Promise((resolve) => stdout.write(text, () => resolve())),
    json: (value) => void stdout.write(`${neutralJson(JSON.stringify(value))}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    prompt: (text) => void stderr.write(text),
    strong: style('bold', stdout),
    faint: style('dim', stdout),
    bad: style('red', stderr),
    interactive: stderr.isTTY === true,
  };
}

/** `portcullis audit query | head` closes our stdout: that is no failure. */
function endQuietly(stream: Writable): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/**
 * Standard output for a stream of records. `process.stdout` stops the whole process while the reader of a pipe stalls;
 * here such a reader keeps the promise waiting and nobody else.
 */
export function recordOutput(): (text: string) => Promise<void> {
  const kind = fstatSync(1);
  if (!kind.isFIFO() && !kind.isSocket()) return writeAll;
  const pipe = new Socket({ fd: 1, readable: false, writable: true });
  pipe.unref();
  let failure: Error | null = null;
  pipe.on('error', (error) => {
    failure = error;
  });
  return (text) =>
    new Promise((resolve, reject) => {
      if (failure) reject(failure);
      else pipe.write(text, (error) => (error ? reject(error) : resolve()));
    });
}

async function writeAll(text: string): Promise<void> {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    const written = await new Promise<number>((resolve, reject) => {
      write(1, rest, (error, count) => (error ? reject(error) : resolve(count)));
    });
    rest = rest.subarray(written);
  }
}
