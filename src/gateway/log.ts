import { pino } from 'pino';
import { type Log, neutralJson, redactFields } from '../base/index.ts';

/** The operator's log: JSON lines on stderr, written at once. What callers send appears only in bounded fields. */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  const stderr = pino.destination({ dest: 2, sync: true });
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { log: redactFields } },
    { write: (line) => void stderr.write(neutralJson(line)) },
  );
}
