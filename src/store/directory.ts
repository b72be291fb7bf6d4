import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, OperationError } from '../base/index.ts';

/**
 * Makes a directory and what leads to it, readable for this user alone (mode 0700). One that exists stays as it is.
 * Step by step: `mkdir` with `recursive` never returns where the system answers ENOENT for a directory that is there (`/proc`).
 *
 * @throws OperationError when it cannot be made
 */
export function makePrivateDirectory(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  const parent = dirname(path);
  if (!found && parent !== path) makePrivateDirectory(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    throw new OperationError(`cannot make the directory ${path}: ${messageOf(error)}`, {
      hint: 'name another one with --data, or `data:` in the configuration',
      cause: error,
    });
  }
}
