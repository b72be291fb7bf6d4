import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { Environment } from '../config/index.ts';

/** Where a command writes: the only door to the terminal. */
export interface Output {
  /** The answer: stdout. */
  line(text?: string): void;
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
    json: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
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
