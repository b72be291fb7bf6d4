import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { AuditProof, AuditSource } from '../../check/index.ts';
import type { CommandContext, Given } from '../command.ts';

const mostBytes = 64 * 1024 * 1024;
const timeoutMs = 30_000;

/** The audit log as the person lets it be read: the end of a file, or what a command prints. */
export function auditSourceOf(given: Given, context: CommandContext): AuditSource | null {
  const [file, command, verify] = ['audit-file', 'audit-command', 'audit-verify'].map((name) =>
    given.text(name),
  );
  const verifying = verify === undefined ? null : () => prove(verify, context);
  if (command !== undefined)
    return { read: async () => (await shell(command, context)).output, verify: verifying };
  if (file !== undefined) return { read: () => endOf(resolve(context.cwd, file)), verify: verifying };
  return verifying === null ? null : { read: async () => '', verify: verifying };
}

async function endOf(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, mostBytes);
    const { buffer } = await handle.read({ buffer: Buffer.alloc(length), position: size - length });
    return buffer.toString('utf8');
  } finally {
    await handle.close();
  }
}

async function prove(command: string, context: CommandContext): Promise<AuditProof> {
  const { ok, output } = await shell(command, context);
  return { holds: ok, said: output.trim().replaceAll('\n', '; ').slice(0, 200) };
}

/** The person at the terminal typed it: the shell that they typed it in would run it as well. */
function shell(
  command: string,
  { cwd, environment }: CommandContext,
): Promise<{ ok: boolean; output: string }> {
  const [program, flag] = process.platform === 'win32' ? ['cmd.exe', '/c'] : ['/bin/sh', '-c'];
  const options = {
    cwd,
    env: { ...environment },
    timeout: timeoutMs,
    maxBuffer: mostBytes,
    windowsHide: true,
  };
  return new Promise((resolved) => {
    const child = execFile(program, [flag, command], options, (error, stdout) =>
      resolved({ ok: error === null, output: stdout }),
    );
    child.stdin?.end();
  });
}
