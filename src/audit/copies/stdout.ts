import type { CopyTarget } from './copy.ts';

/** Resolves when the text was taken over; a reader that stalls keeps it waiting, and nobody else. */
export type WriteOut = (text: string) => Promise<void>;

/** JSON lines on standard output, for a supervisor that collects them. */
export function stdoutCopy(write: WriteOut): CopyTarget {
  return {
    kind: 'stdout',
    place: 'stdout',
    most: { records: 256, bytes: 64 * 1024 },
    async deliver(items) {
      await write(items.map(({ text }) => `${text}\n`).join(''));
      return 0;
    },
    close: async () => {},
  };
}
