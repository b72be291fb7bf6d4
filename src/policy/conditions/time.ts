import type { CelFunc } from '@bufbuild/cel';
import type { Library } from './library.ts';

/** Parts of a moment, as CEL names them (cel-spec langdef, "Timezones"): months and days of a month count from 0, but for `getDate`. */
const parts: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
};

/**
 * The library goes through the machine's own time zone, where an hour a year does not exist: 02:30 UTC would be read as three
 * o'clock there. These do not.
 */
export function timeFunctions(
  { celMethod, CelScalar: { INT, STRING } }: Library,
  timestamp: CelFunc['result'],
): CelFunc[] {
  return Object.entries(parts).flatMap(([name, part]) => [
    celMethod(name, timestamp, [], INT, function () {
      return BigInt(part(wallClock(millisecondsOf(this), 'UTC')));
    }),
    celMethod(name, timestamp, [STRING], INT, function (zone) {
      return BigInt(part(wallClock(millisecondsOf(this), zone)));
    }),
  ]);
}

/** Names of the methods that take a time zone. */
export const timeMethods: ReadonlySet<string> = new Set(Object.keys(parts));

/** `UTC`, `Europe/Berlin`, `+02:00`. */
export function isTimeZone(zone: string): boolean {
  try {
    wallClock(0, zone);
    return true;
  } catch {
    return false;
  }
}

function millisecondsOf(value: unknown): number {
  const { seconds, nanos } = (value as { message: { seconds: bigint; nanos: number } }).message;
  return Number(seconds) * 1000 + Math.floor(nanos / 1e6);
}

/** A date whose UTC fields are what a clock in that zone shows. @throws RangeError for what is no time zone */
function wallClock(milliseconds: number, zone: string): Date {
  const offset = /^([+-]?)(\d\d):([0-5]\d)$/.exec(zone);
  if (offset) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    return new Date(milliseconds + (offset[1] === '-' ? -minutes : minutes) * 60_000);
  }
  if (zone === 'UTC') return new Date(milliseconds);
  const fields: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(milliseconds)) fields[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  const rest = ((milliseconds % 1000) + 1000) % 1000;
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second, rest));
}

/** Zones are literals of the operator's own expressions: few. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formats.size < 1_000) formats.set(zone, made);
  return made;
}
