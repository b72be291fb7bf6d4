import { execFile } from 'node:child_process';
import type { Environment } from './environment.ts';

/** A vault answers in a second or two; a start that hangs on one is worse than a start that says so. */
const timeoutMs = 10_000;
export const maxSecretBytes = 64 * 1024;

export type CommandAnswer =
  | { readonly ok: true; readonly output: string }
  /** `reason` has neither output nor arguments in it: both may hold secrets. */
  | { readonly ok: false; readonly reason: string };

/**
 * Runs a program of the operator's choice and returns what it writes to stdout. No shell reads the arguments; time and
 * size are bounded; nothing that the program writes reaches a message.
 */
export function runSecretCommand(
  command: readonly string[],
  options: { readonly environment: Environment; readonly cwd: string },
): Promise<CommandAnswer> {
  const [program = '', ...parameters] = command;
  return new Promise((resolve) => {
    const child = execFile(
      program,
      parameters,
      {
        cwd: options.cwd,
        env: { ...options.environment },
        shell: false,
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: maxSecretBytes,
        windowsHide: true,
      },
      (error, stdout) =>
        resolve(error ? { ok: false, reason: reasonOf(error) } : { ok: true, output: stdout }),
    );
    child.stdin?.end();
  });
}

function reasonOf(error: Error & { code?: unknown; killed?: boolean; signal?: unknown }): string {
  if (error.code === 'ENOENT') return 'was not found';
  if (error.code === 'EACCES') return 'may not be run';
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `wrote more than ${maxSecretBytes} bytes`;
  if (error.killed) return `took longer than ${timeoutMs / 1000} s`;
  return typeof error.code === 'number' ? `ended with exit code ${error.code}` : 'failed';
}
