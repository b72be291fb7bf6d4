import { ConfigurationError, timestamp } from '../base/index.ts';

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};
const relative = /^(\d{1,6})([smhdw])$/;
const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

export interface TimeOptions {
  /** Milliseconds since the epoch, which `7d` counts back from. */
  readonly now: number;
  /** The option that the text was given to, for the error: `--since`. */
  readonly option: string;
}

/**
 * Reads a time: `30m`, `24h`, `7d`, `2w` ago, or ISO 8601 (`2026-07-28`, `2026-07-28T10:00`, with or without a zone;
 * UTC without one). Gives RFC 3339 in UTC with milliseconds, which compares as text.
 * @throws ConfigurationError naming the option
 */
export function parseTime(text: string, { now, option }: TimeOptions): string {
  const trimmed = text.trim();
  const ago = relative.exec(trimmed);
  if (ago) return timestamp(now - Number(ago[1]) * (units[ago[2] ?? ''] ?? 0));
  const parts = iso.exec(trimmed);
  if (!parts) throw unreadable(option, 'is no time');
  const [, date = '', clock = '00:00', seconds = ':00', zone = 'Z'] = parts;
  const parsed = Date.parse(`${date}T${clock}${seconds}${zone}`);
  if (Number.isNaN(parsed) || !isDay(date)) throw unreadable(option, 'does not exist in the calendar');
  return timestamp(parsed);
}

/** Date.parse reads 31 February as 3 March. */
function isDay(date: string): boolean {
  const parsed = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed) && timestamp(parsed).startsWith(date);
}

function unreadable(option: string, message: string): ConfigurationError {
  return new ConfigurationError([
    { source: option, message, hint: 'write 30m, 24h, 7d, or 2026-07-28T10:00:00Z' },
  ]);
}
