import { statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/index.ts';
import { type Db, type Migrations, openDb, type Row } from '../store/index.ts';
import { readStop, type Stop } from './stop.ts';

/** Where stops are kept. Several places may hold the same ones. */
export interface StopPlace {
  /** For messages. */
  readonly name: string;
  /** Every stop that the place has, resumed ones too: the same object while nothing has changed. Rejects when it cannot be read. */
  read(): Promise<StopReading>;
  /** Adds those that are missing, and resumptions. What is there already stays. */
  merge(stops: readonly Stop[]): Promise<void>;
  close(): Promise<void>;
}

export interface StopReading {
  readonly stops: readonly Stop[];
  /** What there is beside them and cannot be read; null where there is none. It must not count as nothing. */
  readonly damage: string | null;
}

/** @param read gives one stop, or throws */
export function readAll<T>(rows: readonly T[], read: (row: T) => Stop): StopReading {
  const stops: Stop[] = [];
  let damage: string | null = null;
  for (const row of rows) {
    try {
      stops.push(read(row));
    } catch (error) {
      damage = messageOf(error);
    }
  }
  return { stops, damage };
}

const migrations: Migrations = {
  name: 'stops',
  steps: [
    `CREATE TABLE stops (
      id TEXT PRIMARY KEY,
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      server TEXT,
      issuer TEXT,
      reason TEXT,
      stopped_by TEXT NOT NULL,
      stopped_at INTEGER NOT NULL,
      resumed_by TEXT,
      resumed_at INTEGER
    ) STRICT;`,
  ],
};

export function stopsFile(dataDir: string): string {
  return join(dataDir, 'stops.db');
}

/**
 * The file in the data directory, which all processes on it share. Opened and checked again when another file has come to stand
 * there (one that was restored or removed) or when it was written over, so that no stop is missed and no damage unseen.
 */
export function openStopFile(dataDir: string): StopPlace {
  const file = stopsFile(dataDir);
  let open: OpenFile | null = null;
  let last: { readonly db: Db; readonly version: number; readonly reading: StopReading } | null = null;
  const current = (): Db => {
    if (open === null || stateOf(file) !== open.state) {
      const next = openWhole(file);
      open?.db.close();
      open = next;
    }
    return open.db;
  };
  return {
    name: file,
    async read() {
      const db = current();
      // What other connections have committed; our own writing forgets the reading itself.
      const version = Number(db.prepare('PRAGMA data_version').get()?.['data_version']);
      if (last?.db === db && last.version === version) return last.reading;
      const reading = readAll(db.prepare('SELECT * FROM stops').all(), stopOf);
      last = { db, version, reading };
      return reading;
    },
    async merge(stops) {
      const db = current();
      const put = db.prepare(
        `INSERT INTO stops (id, kind, name, server, issuer, reason, stopped_by, stopped_at, resumed_by, resumed_at)
         VALUES (:id, :kind, :name, :server, :issuer, :reason, :by, :at, :resumed_by, :resumed_at)
         ON CONFLICT (id) DO UPDATE SET resumed_by = coalesce(stops.resumed_by, excluded.resumed_by),
           resumed_at = coalesce(stops.resumed_at, excluded.resumed_at)`,
      );
      db.transaction(() => {
        for (const { resumed, ...stop } of stops) {
          put.run({ ...stop, resumed_by: resumed?.by ?? null, resumed_at: resumed?.at ?? null });
        }
      });
      last = null;
    },
    close: async () => open?.db.close(),
  };
}

interface OpenFile {
  readonly db: Db;
  readonly state: string | null;
}

function openWhole(file: string): OpenFile {
  const db = openDb(file, migrations);
  try {
    const [row] = db.prepare('PRAGMA quick_check(1)').all();
    if (row?.['quick_check'] !== 'ok') throw new Error(String(row?.['quick_check']));
    return { db, state: stateOf(file) };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Changes when another file stands there, or when something but SQLite's log wrote to this one. */
function stateOf(file: string): string | null {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.ino} ${found.mtimeNs} ${found.size}` : null;
}

function stopOf(row: Row): Stop {
  const { resumed_by: by, resumed_at: at, stopped_by, stopped_at, ...rest } = row;
  return readStop({ ...rest, by: stopped_by, at: stopped_at, resumed: at === null ? null : { by, at } });
}
