import { type Log, messageOf } from '../base/index.ts';

const sweepMs = 10 * 60_000;

export interface MaintenanceParts {
  readonly log: Log;
  readonly pollMs: number;
  /** Reads what other processes revoked. */
  readonly poll: () => void;
  /** Deletes what has expired, rotates keys. Now, and every ten minutes. */
  readonly sweep: () => void;
}

/** A third of the time that is promised: one look may come late, or fail, and the next is still in time. */
export function pollMs(withinSeconds: number): number {
  return Math.floor((withinSeconds * 1_000) / 3);
}

/** Starts the recurring work; the result stops it. The timers keep no process alive. */
export function startMaintenance({ log, pollMs, poll, sweep }: MaintenanceParts): () => void {
  sweep();
  const guarded = (work: () => void) => () => {
    try {
      work();
    } catch (error) {
      log.error({ error: messageOf(error) }, 'authorization server: maintenance failed');
    }
  };
  const timers = [setInterval(guarded(poll), pollMs), setInterval(guarded(sweep), sweepMs)];
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
