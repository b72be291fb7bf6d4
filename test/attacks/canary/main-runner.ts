import { main } from '../../../src/cli/main.ts';

/** Runs the command line's own entry many times in one process, and tells what each wrote: a start takes seconds on a slow machine. */
export interface Typed {
  readonly parameters: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

const kept = { PATH: process.env['PATH'], HOME: process.env['HOME'] };

async function runOne({ parameters, cwd, env }: Typed): Promise<{ code: number; text: string }> {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, kept, env);
  process.chdir(cwd);
  let text = '';
  const writes = [process.stdout, process.stderr].map((stream) => [stream, stream.write] as const);
  for (const [stream] of writes) {
    stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      const done = rest.findLast((one): one is () => void => typeof one === 'function');
      done?.();
      return true;
    }) as typeof stream.write;
  }
  try {
    return { code: await main(parameters, process.env), text };
  } finally {
    for (const [stream, write] of writes) stream.write = write;
  }
}

process.on('message', (typed: Typed) => {
  void runOne(typed).then(
    (result) => process.send?.({ ...result }),
    (error: unknown) => process.send?.({ code: -1, text: String(error) }),
  );
});
