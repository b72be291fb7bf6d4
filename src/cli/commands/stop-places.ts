import { messageOf, OperationError, silentLog } from '../../base/index.ts';
import type { Stop, StopTarget } from '../../stops/index.ts';
import type { RedisConnection } from '../../store/index.ts';
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
  given: Given,
  { context, directory }: { context: CommandContext; directory: string },
): Promise<KillSwitch> {
  const { isSameTarget, mostStops, openStopFile } = await import('../../stops/index.ts');
  const file = openStopFile(directory);
  const all = await file.read().catch((error: unknown) => {
    throw unreadable(file.name, messageOf(error), error);
  });
  if (all.damage !== null) throw unreadable(file.name, all.damage);
  const shared = await openShared(given, context);
  return {
    inForce: inForceOf([...all.stops, ...shared.stops]),
    notes: shared.notes,
    mostStops,
    isSameTarget,
    async write(entry) {
      await file.merge([entry]);
      return [...shared.notes, ...(await shared.write(entry))];
    },
    async close() {
      await shared.close();
      await file.close();
    },
  };
}

/** A stop that is resumed in one place is resumed. */
function inForceOf(stops: readonly Stop[]): Stop[] {
  const resumed = new Set(stops.filter((stop) => stop.resumed !== null).map(({ id }) => id));
  const found = new Map(stops.filter(({ id }) => !resumed.has(id)).map((stop) => [stop.id, stop]));
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function unreadable(file: string, detail: string, cause?: unknown): OperationError {
  return new OperationError(`the kill switch cannot be read from ${file}: ${detail}`, {
    hint: 'restore the file; to begin without any stop, move it away with its -wal and -shm files',
    cause,
  });
}

interface Shared {
  readonly stops: readonly Stop[];
  readonly notes: readonly string[];
  write(entry: Stop): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** A gateway on this data directory carries to Redis what is in the file, when the command cannot. */
const later = 'gateways on other machines follow when one on this data directory reaches Redis';
const connectWithinMs = 2_000;

/** What the configuration shares by Redis. It must not keep anybody from stopping something here. */
async function openShared(given: Given, { cwd, environment }: CommandContext): Promise<Shared> {
  const none: Shared = { stops: [], notes: [], write: async () => [], close: async () => {} };
  const file = given.text('config');
  if (file === undefined) return none;
  let connection: RedisConnection | null = null;
  try {
    const { loadConfig } = await import('../../config/index.ts');
    const { redis } = (await loadConfig({ file, environment, cwd })).config;
    if (redis === null) return none;
    const { connectRedis, isReadyWithin } = await import('../../store/index.ts');
    const { sharedStops } = await import('../../stops/index.ts');
    const { url, prefix, cluster: isCluster } = redis;
    const opened = await connectRedis({ url, prefix, isCluster, commandTimeoutMs: 2_000, log: silentLog });
    connection = opened;
    if (!(await isReadyWithin(opened, connectWithinMs))) throw new Error('it does not answer');
    const place = sharedStops(opened);
    const { stops } = await place.read();
    const write = (entry: Stop): Promise<readonly string[]> =>
      place.merge([entry]).then(
        () => [],
        (error: unknown) => [`Redis: ${messageOf(error)}; ${later}`],
      );
    return { stops, notes: [], write, close: () => opened.close() };
  } catch (error) {
    await connection?.close();
    return { ...none, notes: [`Redis was not asked: ${messageOf(error)}; ${later}`] };
  }
}
