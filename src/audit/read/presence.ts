import type { PgQueries } from '../../store/index.ts';
import { presenceLock } from '../sinks/postgres-presence.ts';

/** What can be seen of a process that writes to the trail, from another machine. */
export interface WriterPresence {
  /** The server says that it lives, or has not noticed yet that it died: at most a minute. */
  readonly isSeen: boolean;
  /** Whether it was seen ever: else nothing follows from its absence. */
  readonly isWatched: boolean;
  /** Changes with all that it writes. */
  readonly mark: string;
}

/** By writer. */
export async function presenceOf(
  { query }: PgQueries,
  writers: readonly string[],
): Promise<ReadonlyMap<string, WriterPresence>> {
  const { rows } = await query(
    `SELECT writers.writer, watched, concat_ws(' ', epoch, position) AS mark, EXISTS (
       SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $2 AND objid = heads.writer
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS held
     FROM writers JOIN heads ON heads.writer = writers.id WHERE writers.writer = ANY($1)`,
    [writers, presenceLock],
  );
  return new Map(
    rows.map((row) => {
      const presence = {
        isSeen: (row['held'] as unknown) === true,
        isWatched: (row['watched'] as unknown) === true,
        mark: String(row['mark']),
      };
      return [String(row['writer']), presence];
    }),
  );
}
