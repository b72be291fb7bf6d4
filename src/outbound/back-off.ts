export interface BackOffOptions {
  readonly firstMs: number;
  readonly slowestMs: number;
}

/**
 * Milliseconds before attempt number `failures` + 1: doubling, with the upper half at random, so that those who failed
 * together do not come back together.
 * @param failures in a row so far, from 1
 * @param random from 0 to 1, exclusive
 */
export function backOffMs(failures: number, { firstMs, slowestMs }: BackOffOptions, random: number): number {
  const full = Math.min(slowestMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return full / 2 + (full / 2) * random;
}

/** `Retry-After` (RFC 9110 section 10.2.3) in milliseconds; null where there is none to be read. Bounded to an hour. */
export function retryAfterMs(value: string | null, now: number): number | null {
  if (value === null) return null;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 3_600_000) : null;
}
