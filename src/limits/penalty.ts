/**
 * Slows down who goes on calling although every call is refused. Refusals cost nothing at first: a burst of parallel
 * calls, or a client that tries a few times too early, meets its limit alone. From `patience` refusals in a row on, each
 * puts off the next call by a little more, up to `longestMs` from now; the announced wait includes it. Counts in this process.
 */
export interface Penalties {
  /** Milliseconds that the caller has to keep still from now on; 0: none. */
  waitMs(caller: string, now: number): number;
  /**
   * Notes a refusal.
   * @param waitMs until the limit itself would admit a call
   * @returns the wait to announce: never less
   */
  refused(caller: string, waitMs: number, now: number): number;
  /** The row has ended. */
  admitted(caller: string): void;
  size(): number;
}

interface Row {
  refusals: number;
  /** The moment before which every call is refused. */
  until: number;
  last: number;
}

const patience = 200;
const stepMs = 10;
const longestMs = 5_000;
/** A row is forgotten after this time without a call. */
const forgottenAfterMs = 60_000;
const maxRows = 20_000;

export function createPenalties(): Penalties {
  const rows = new Map<string, Row>();

  function rowOf(caller: string, now: number): Row {
    let row = rows.get(caller);
    if (row !== undefined && now - row.last <= forgottenAfterMs) return row;
    row = { refusals: 0, until: 0, last: now };
    rows.delete(caller);
    if (rows.size >= maxRows) forgetOldest();
    rows.set(caller, row);
    return row;
  }

  /** Costs the forgotten one's penalty and none of its limits. */
  function forgetOldest(): void {
    for (const caller of rows.keys()) {
      rows.delete(caller);
      return;
    }
  }

  return {
    waitMs(caller, now) {
      const row = rows.get(caller);
      return row === undefined ? 0 : Math.max(0, Math.ceil(row.until - now));
    },
    refused(caller, waitMs, now) {
      const row = rowOf(caller, now);
      row.refusals += 1;
      row.last = now;
      if (row.refusals <= patience) return waitMs;
      const penalty = Math.min((row.refusals - patience) * stepMs, longestMs);
      row.until = Math.max(row.until, now + Math.max(waitMs, penalty));
      return Math.ceil(row.until - now);
    },
    admitted(caller) {
      if (rows.size > 0) rows.delete(caller);
    },
    size: () => rows.size,
  };
}
