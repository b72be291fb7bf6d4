import { join } from 'node:path';
import type { Clock } from '../../base/index.ts';
import { type Db, type Migrations, openDb } from '../../store/index.ts';
import { ticksPerMs } from '../gcra.ts';
import type { LimitDemand, MemoryLimiter } from '../limiter.ts';

const migrations: Migrations = {
  name: 'limits',
  steps: ['CREATE TABLE counters (key TEXT PRIMARY KEY, free_at REAL NOT NULL) STRICT, WITHOUT ROWID'],
};

/** From this unit of time on a counter is a budget, which a crash must not refill. */
const budgetFromMs = 3_600_000;
const everyMs = 1_000;
const mostAtOnce = 5_000;
const mostAtClose = 200_000;

/**
 * What counters leave behind when the process ends: budgets within a second, all others when it ends in order. Its lock on
 * the file is the right to count for this data directory: one process has it, and loses it with its life.
 */
export interface Journal {
  /** Notes that a call was charged. */
  charged(demands: readonly LimitDemand[]): void;
  /** Writes all that is left to write and gives the lock back. */
  close(): void;
}

/** @returns null when another process has the lock */
export function openJournal(dataDir: string, memory: MemoryLimiter, clock: Clock): Journal | null {
  const db = openAlone(join(dataDir, 'limits.db'));
  if (db === null) return null;
  restore(db, memory, clock);
  const { ledger } = memory;
  const put = db.prepare(
    'INSERT INTO counters (key, free_at) VALUES (:key, :at) ON CONFLICT (key) DO UPDATE SET free_at = :at',
  );
  const unsaved = new Set<string>();
  const save = (entries: Iterable<readonly [string, number]>): void => {
    const now = ledger.begin(0, clock.monotonic());
    const epoch = clock.now();
    db.transaction(() => {
      for (const [key, tat] of entries) put.run({ key, at: epoch + (tat - now) / ticksPerMs });
    });
  };
  const saveBudgets = (): void => {
    if (unsaved.size === 0) return;
    const keys = [...unsaved].slice(0, mostAtOnce);
    for (const key of keys) unsaved.delete(key);
    save(keys.map((key) => [key, ledger.read(key)] as const));
  };
  const timer = setInterval(saveBudgets, everyMs);
  timer.unref();
  return {
    charged(demands) {
      for (const { key, limit } of demands) if (limit.periodMs >= budgetFromMs) unsaved.add(key);
    },
    close() {
      clearInterval(timer);
      save([...ledger.running(clock.monotonic())].slice(0, mostAtClose));
      db.close();
    },
  };
}

function openAlone(file: string): Db | null {
  try {
    return openDb(file, migrations, { busyTimeoutMs: 0, isExclusive: true });
  } catch (error) {
    const { errcode = 0 } = error as { errcode?: number };
    if ((errcode & 0xff) === sqliteBusy) return null;
    throw error;
  }
}

const sqliteBusy = 5;

/** By the clock on the wall: monotonic time starts anew. One that is set forward meanwhile forgives so much. */
function restore(db: Db, memory: MemoryLimiter, clock: Clock): void {
  const now = memory.ledger.begin(0, clock.monotonic());
  const epoch = clock.now();
  db.prepare('DELETE FROM counters WHERE free_at <= :epoch').run({ epoch });
  for (const { key, free_at: at } of db.prepare('SELECT key, free_at FROM counters').all()) {
    memory.ledger.restore(String(key), now + Math.ceil((Number(at) - epoch) * ticksPerMs));
  }
}
