import { type Log, messageOf } from '../base/index.ts';

const pollMs = 1_000;
const sweepMs = 10 * 60_000;

export interface MaintenanceParts {
  readonly log: Log;
  /** Reads what other processes revoked. Every second. */
  readonly poll: () => void;
  /** Deletes what has expired, rotates keys. Now, and every ten minutes. */
  readonly sweep: () => void;
}

/** Starts the recurring work; the result stops it. The timers keep no process alive. */
export function startMaintenance({ log, poll, sweep }: MaintenanceParts): () => void {
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
