import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from './note.ts';

/**
 * Somewhere else that checkpoints are kept: what happens to the store does not happen there. `publish` resolves when the
 * note is kept, and rejects when it is not; the trail says so in an event and goes on. A later note of the same writer
 * makes up for one that was lost.
 */
export interface Witness {
  /** For events and the log: `file`, `webhook`. */
  readonly name: string;
  publish(note: string, checkpoint: Checkpoint): Promise<void>;
}

/** Notes one after another in a file, best on another machine's disk. */
export function fileWitness(file: string): Witness {
  return { name: 'file', publish: (note) => write(file, note, 'a') };
}

/** The newest note of each writer, beside the store: finds what accidents and the unwary cut off, not who owns the disk. */
export function directoryWitness(directory: string): Witness {
  return {
    name: 'directory',
    async publish(note, { writer }) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = join(directory, `${writer}.note`);
      await write(`${file}.new`, note, 'w');
      await rename(`${file}.new`, file);
    },
  };
}

async function write(file: string, text: string, flag: 'a' | 'w'): Promise<void> {
  const handle = await open(file, flag, 0o600);
  try {
    await handle.appendFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
