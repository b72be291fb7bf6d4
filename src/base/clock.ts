/**
 * The only place that reads the time. Pure code takes `now` as a parameter; everything else takes a Clock,
 * so that a test can move it.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. May step back and forward with the machine's clock. */
  now(): number;
  /** Milliseconds on a clock that never steps back, with a fraction. For durations and limits only. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** RFC 3339 in UTC with milliseconds: `2026-07-28T10:00:00.000Z`. */
export function timestamp(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
