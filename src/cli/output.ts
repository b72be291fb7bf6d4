import { fstatSync, write } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { neutralJson, neutralLine, neutralLines } from '../base/index.ts';
import type { Environment } from '../config/index.ts';

/** Text that stands out on a terminal. It holds no escape codes: `Output` adds them to what it has made neutral. */
export interface Styled {
  readonly format: 'bold' | 'dim' | 'red';
  readonly text: string;
}

/**
 * Where a command writes: the only door to the terminal. Whatever is given to it may hold the words of others: characters that a
 * terminal obeys or a reader does not see are written out, and a line stays one line.
 */
export interface Output {
  /** One line of the answer: stdout. */
  line(...parts: readonly (string | Styled)[]): void;
  /** A text of several lines. Only what it is put together of can keep a value of others from beginning a line of its own. */
  lines(text: string): void;
  /** A part of the answer with its line ends; resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** One line of JSON on stdout. */
  json(value: unknown): void;
  /** One line of anything beside the answer, such as errors and progress: stderr. */
  note(...parts: readonly (string | Styled)[]): void;
  /** As `lines`, on stderr. */
  notes(text: string): void;
  /** A prompt on stderr, without a newline. */
  prompt(text: string): void;
  /** A person reads stderr. */
  readonly interactive: boolean;
}

export const strong = (text: string): Styled => ({ format: 'bold', text });
export const faint = (text: string): Styled => ({ format: 'dim', text });
export const bad = (text: string): Styled => ({ format: 'red', text });

type Stream = Writable & { readonly isTTY?: boolean };

/** Colour goes to terminals alone, and to none where `NO_COLOR` is set (https://no-color.org). */
export function terminalOutput(
  environment: Environment,
  { stdout, stderr }: { readonly stdout: Stream; readonly stderr: Stream } = process,
): Output {
  const plain = Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb';
  const shown = (stream: Stream) => (part: string | Styled) => {
    if (typeof part === 'string') return neutralLine(part);
    const text = neutralLine(part.text);
    return plain || !stream.isTTY ? text : styleText(part.format, text, { validateStream: false });
  };
  const lineTo =
    (stream: Stream) =>
    (...parts: readonly (string | Styled)[]) =>
      void stream.write(`${parts.map(shown(stream)).join('')}\n`);
  for (const stream of [stdout, stderr]) endQuietly(stream);
  return {
    line: lineTo(stdout),
    lines: (text) => void stdout.write(`${neutralLines(text)}\n`),
    write: (text) => new Promise((resolve) => stdout.write(neutralRows(text), () => resolve())),
    json: (value) => void stdout.write(`${jsonLine(value)}\n`),
    note: lineTo(stderr),
    notes: (text) => void stderr.write(`${neutralLines(text)}\n`),
    prompt: (text) => void stderr.write(neutralLine(text)),
    interactive: stderr.isTTY === true,
  };
}

/** For when standard output carries records: everything else goes to stderr. */
export function besideRecords(output: Output): Output {
  const { note, notes } = output;
  return { ...output, line: note, lines: notes, json: (value) => note(jsonLine(value)) };
}

/** Lines of CSV end in CRLF (RFC 4180). */
function neutralRows(text: string): string {
  return text.split('\r\n').map(neutralLines).join('\r\n');
}

function jsonLine(value: unknown): string {
  return neutralJson(JSON.stringify(value));
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
