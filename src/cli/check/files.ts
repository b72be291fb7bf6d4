import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf } from '../../base/index.ts';
import { type CommandContext, UsageError } from '../command.ts';

const mostCharacters = 16 * 1024 * 1024;

/** @param option what named the file, for the message */
export async function readText(file: string, option: string, { cwd }: CommandContext): Promise<string> {
  const text = await readFile(resolve(cwd, file), 'utf8').catch((error: unknown) => {
    throw new UsageError(`${option}: ${messageOf(error)}`, 'name a file that can be read');
  });
  if (text.length <= mostCharacters) return text;
  throw new UsageError(`${option}: ${file} is too large`, 'name another file');
}

export async function writeText(file: string, text: string, { cwd }: CommandContext): Promise<void> {
  await writeFile(resolve(cwd, file), text).catch((error: unknown) => {
    throw new UsageError(`${file} cannot be written: ${messageOf(error)}`, 'name a file that can be');
  });
}
