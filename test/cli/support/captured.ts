import { PassThrough } from 'node:stream';
import { type Output, terminalOutput } from '../../../src/cli/output.ts';

/** Output of a command that runs in this process, and what it wrote. */
export interface Captured {
  readonly output: Output;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export function captured({ isTTY = false }: { readonly isTTY?: boolean } = {}): Captured {
  const [stdout, stderr] = [collector(isTTY), collector(isTTY)];
  const output = terminalOutput({}, { stdout: stdout.stream, stderr: stderr.stream });
  return { output, stdout: stdout.text, stderr: stderr.text };
}

function collector(isTTY: boolean) {
  const chunks: Buffer[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks).toString() };
}
