import { messageOf, OperationError } from '../../base/index.ts';
import type { Stop, StopTarget } from '../../stops/index.ts';
import type { CommandContext, Given } from '../command.ts';

/** The kill switch as a command sees it: read once, written to every place that answers. */
export interface KillSwitch {
  readonly inForce: readonly Stop[];
  /** What the reader should know, such as a place that does not answer. */
  readonly notes: readonly string[];
  readonly mostStops: number;
  readonly isSameTarget: (a: StopTarget, b: StopTarget) => boolean;
  /** @returns the notes again, for the answer */
  write(entry: Stop): Promise<string[]>;
  close(): Promise<void>;
}

/** @throws OperationError when the file in the data directory cannot be read or written: nothing has been stopped then */
export async function openKillSwitch(
  _given: Given,
  { directory }: { context: CommandContext; directory: string },
): Promise<KillSwitch> {
  const { isSameTarget, mostStops, openStopFile } = await import('../../stops/index.ts');
  const file = openStopFile(directory);
  const all = await file.read().catch((error: unknown) => {
    throw new OperationError(`the kill switch cannot be read from ${file.name}: ${messageOf(error)}`, {
      hint: 'restore the file; to begin without any stop, move it away with its -wal and -shm files',
      cause: error,
    });
  });
  return {
    inForce: all.filter(({ resumed }) => resumed === null).sort((a, b) => (a.id < b.id ? -1 : 1)),
    notes: [],
    mostStops,
    isSameTarget,
    async write(entry) {
      await file.merge([entry]);
      return [];
    },
    close: () => file.close(),
  };
}
