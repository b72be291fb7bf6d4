import { hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperationError } from '../base/index.ts';
import { makePrivateDirectory } from '../store/index.ts';

const keyBytes = 32;

/** Reads the data directory's master key, or makes it at first start (mode 0600). Keys in use are derived from it by purpose. */
export function masterKey(dataDir: string): { derive(purpose: string): Uint8Array } {
  makePrivateDirectory(dataDir);
  const file = join(dataDir, 'master.key');
  try {
    // `wx`: of two processes that start at once, one writes and both read what it wrote.
    writeFileSync(file, randomBytes(keyBytes), { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = readFileSync(file);
  if (key.length !== keyBytes) {
    throw new OperationError(`${file} is not a key of ${keyBytes} bytes`, {
      hint: 'restore it from a backup; without one, remove it: open sessions end, nothing else is lost',
    });
  }
  return {
    derive: (purpose) => new Uint8Array(hkdfSync('sha256', key, '', `portcullis ${purpose}`, keyBytes)),
  };
}
