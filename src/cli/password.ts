import type { Readable } from 'node:stream';
import { OperationError, Secret } from '../base/index.ts';
import { type CommandContext, UsageError } from './command.ts';

/** No password is longer; a bound against a pipe without end. */
const maxBytes = 4096;

/** All of standard input but the newline at its end. */
export async function passwordFromStdin(stdin: Readable): Promise<Secret> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes) throw new OperationError(`the password is longer than ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (text === '')
    throw new OperationError('no password came on standard input', {
      hint: 'pipe one line into the command',
    });
  if (/[\r\n]/.test(text))
    throw new OperationError('the password has more than one line', {
      hint: 'pipe one line into the command',
    });
  return new Secret(text);
}

/** Asks twice, showing nothing. @throws UsageError where there is no terminal to ask on */
export async function passwordFromTerminal({ stdin, output, self }: CommandContext): Promise<Secret> {
  if (!stdin.isTTY || !stdin.setRawMode) {
    const hint = `pipe the password: printf %s "$PASSWORD" | ${self} users add NAME --password-stdin`;
    throw new UsageError('there is no terminal to ask for the password', hint);
  }
  stdin.setRawMode(true);
  try {
    const first = await hiddenLine('Password: ', { stdin, output });
    const second = await hiddenLine('Again: ', { stdin, output });
    if (first === second) return new Secret(first);
    throw new OperationError('the two passwords differ', { hint: 'run the command again' });
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
  }
}

/** Reads keys until Enter, in raw mode: the terminal shows nothing, and Ctrl+C arrives as a character. */
function hiddenLine(
  question: string,
  { stdin, output }: Pick<CommandContext, 'stdin' | 'output'>,
): Promise<string> {
  output.prompt(question);
  return new Promise((resolve, reject) => {
    let typed = '';
    const finish = (settle: () => void) => {
      stdin.off('data', onData);
      output.note('');
      settle();
    };
    const onData = (chunk: Buffer) => {
      for (const key of chunk.toString('utf8')) {
        if (key === '\r' || key === '\n') return finish(() => resolve(typed));
        if (key === '\u0003' || key === '\u0004') return finish(() => reject(new OperationError('stopped')));
        if (key === '\u007f' || key === '\b') typed = [...typed].slice(0, -1).join('');
        else if (key >= ' ' && typed.length < maxBytes) typed += key;
      }
    };
    stdin.on('data', onData);
    stdin.resume();
  });
}
