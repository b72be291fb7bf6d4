import { createHash } from 'node:crypto';
import { constants, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Where the process that counts listens. */
export interface Place {
  readonly path: string;
  /** Removes what a process that died left behind. Only for the one that has the lock. */
  clear(): void;
}

/** Of `sockaddr_un`, the shortest that any system has, less the final zero. */
const longestSocketPath = 103;

/** A socket in the data directory, which is its owner's alone; a named pipe on Windows. */
export function placeIn(dataDir: string): Place {
  if (process.platform === 'win32') {
    const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 32);
    return { path: `\\\\.\\pipe\\portcullis-${name}`, clear: () => {} };
  }
  const file = join(dataDir, 'limits.sock');
  return { path: shortened(dataDir, file), clear: () => rmSync(file, { force: true }) };
}

/** The name of a socket has little room. Linux reaches a directory by its descriptor, however long its path is. */
function shortened(dataDir: string, file: string): string {
  if (Buffer.byteLength(file) <= longestSocketPath || process.platform !== 'linux') return file;
  const descriptor = openSync(dataDir, constants.O_RDONLY | constants.O_DIRECTORY);
  return `/proc/self/fd/${descriptor}/limits.sock`;
}
