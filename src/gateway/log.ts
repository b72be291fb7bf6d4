import { pino } from 'pino';
import type { Log } from '../base/index.ts';

/** The operator's log: JSON lines on stderr, written at once. What callers send appears only in bounded fields. */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  const stderr = pino.destination({ dest: 2, sync: true });
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line) => void stderr.write(neutralLine(line)) },
  );
}

/**
 * JSON escapes only the oldest control characters. The others (C1, bidi, zero width, line separators) stand in strings
 * alone, so that their escape says the same to whoever reads the line, and nothing to a terminal.
 * @param line JSON and its newline
 */
export function neutralLine(line: string): string {
  return line.replace(/(?!\n$)[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
