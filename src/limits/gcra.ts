import type { RateLimit } from '../policy/index.ts';

/**
 * The generic cell rate algorithm (ITU-T I.371), pure. The state of a counter is one number, its theoretical arrival
 * time (TAT): the moment at which it would be as good as new. A call moves it on by one interval and is refused if it
 * lies too far ahead. Unlike a fixed window it never lets twice the burst through at an edge.
 *
 * Times are whole ticks, so sums are exact and a call at the announced time passes while one a millisecond
 * earlier does not. 1 ms is 2^14 ticks: multiplying by a power of two loses nothing, and 2^53 ticks last 17 years.
 */
export const ticksPerMs = 16_384;

/** Calls in ticks. */
export interface Pace {
  /** Between two calls at the steady rate. Rounded up, by less than 0.1 µs: never faster than configured. */
  readonly interval: number;
  /** How far ahead the TAT may lie when a call comes: burst - 1 intervals. */
  readonly tolerance: number;
}

export function paceOf(limit: RateLimit): Pace {
  const interval = Math.ceil((limit.periodMs * ticksPerMs) / limit.count);
  return { interval, tolerance: interval * (limit.burst - 1) };
}

/** @param ms milliseconds of a monotonic clock */
export function ticksAt(ms: number): number {
  return Math.floor(ms * ticksPerMs);
}

/**
 * The TAT as it counts now. One further ahead than a full burst cannot come from this limit: the limit has been
 * changed. Then the burst counts as just spent. Whoever announces a wait keeps this value, or the wait is not true.
 */
export function settled(tat: number, now: number, pace: Pace): number {
  return Math.min(Math.max(tat, now), now + pace.tolerance + pace.interval);
}

/** Ticks until a call is admitted; 0: now. */
export function waitTicks(tat: number, now: number, pace: Pace): number {
  const wait = settled(tat, now, pace) - now - pace.tolerance;
  return Math.max(wait, 0); // NaN stays NaN, which is not 0: refused
}

/** The TAT after a call. A call that was not asked about first can never owe more than a full burst. */
export function charged(tat: number, now: number, pace: Pace): number {
  return settled(settled(tat, now, pace) + pace.interval, now, pace);
}

/** Calls that would be admitted at once while the TAT lies so far ahead. */
export function leftAfter(ahead: number, { interval, tolerance }: Pace): number {
  return Math.max(0, Math.floor((tolerance + interval - Math.max(ahead, 0)) / interval));
}

/** Whole milliseconds, rounded up: after them a call is admitted, one millisecond earlier it is not. */
export function waitMs(ticks: number): number {
  return Math.ceil(ticks / ticksPerMs);
}
