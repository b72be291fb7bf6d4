import type { RateLimit } from '../policy/index.ts';

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
};

const ratePattern = /^(\d{1,9})\/(s|sec|second|min|minute|h|hour|d|day)(?: burst (\d{1,9}))?$/;
const durationPattern = /^(\d{1,9})(ms|s|m|h|d)$/;

/** The longest that a spent burst may take to come back: counters outlive nobody's patience, and sums stay exact. */
const longestMs = 366 * 86_400_000;

/** Reads `600/min` or `60/min burst 10`; null when it is neither, or counts nothing. */
export function parseRate(text: string): RateLimit | null {
  const found = ratePattern.exec(text);
  if (!found) return null;
  const count = Number(found[1]);
  const burst = found[3] === undefined ? count : Number(found[3]);
  const periodMs = unitMs[found[2] ?? ''] ?? 0;
  if (count < 1 || burst < 1 || (periodMs / count) * burst > longestMs) return null;
  return { count, periodMs, burst };
}

/** Reads one rate or several, each of another unit of time: `600/min and 10000/day`. Null when any of it is none. */
export function parseRates(text: string): RateLimit[] | null {
  const rates = text.split(' and ').map(parseRate);
  const known = rates.filter((rate) => rate !== null);
  const periods = new Set(known.map(({ periodMs }) => periodMs));
  return known.length === rates.length && periods.size === rates.length ? known : null;
}

/** No year is longer: nothing goes too early. */
const yearDays = 366;

/** Reads how long something is kept, `400d` or `6y`, into milliseconds; null when it is neither, or zero. */
export function parseKeep(text: string): number | null {
  const [, count = '', unit = ''] = /^(\d{1,5})([dy])$/.exec(text) ?? [];
  const days = Number(count) * (unit === 'y' ? yearDays : 1);
  return days > 0 ? days * 86_400_000 : null;
}

/** Reads `500ms`, `60s`, `15m`, `2h`, `90d` into milliseconds; null when it is none of them, or zero. */
export function parseDuration(text: string): number | null {
  const found = durationPattern.exec(text);
  if (!found) return null;
  const ms = Number(found[1]) * (unitMs[found[2] ?? ''] ?? 0);
  return ms > 0 ? ms : null;
}
