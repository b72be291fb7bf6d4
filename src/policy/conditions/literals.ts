import { compileLinearPattern } from '../linear-pattern.ts';
import type { Expression } from './library.ts';
import { isTimeZone, timeMethods } from './time.ts';
import { TypeFault } from './type-fault.ts';

/** Functions of which a wrong literal would be an error of every call. */
const literalParameters: ReadonlySet<string> = new Set(['matches', 'timestamp', 'duration', ...timeMethods]);

/** @throws TypeFault */
export function checkLiteral(id: bigint, name: string, args: readonly Expression[]): void {
  if (!literalParameters.has(name)) return;
  const text = stringOf(args[0]);
  if (name === 'matches') {
    if (text === null) {
      const hint = 'write the pattern itself: one that a caller could choose is not looked for';
      throw new TypeFault(id, 'matches a pattern that is no literal', { hint });
    }
    if (compileLinearPattern(text) === null) {
      const hint = 'RE2 has no look-around (?=, ?!, ?<=) and no \\1; use two conditions with &&';
      throw new TypeFault(id, 'matches a pattern that RE2 does not know', { hint });
    }
  }
  if (text === null) {
    if (timeMethods.has(name) && args.length > 0)
      throw new TypeFault(id, `${name} takes a time zone that is a literal`);
    return;
  }
  if (timeMethods.has(name) && !isTimeZone(text)) {
    throw new TypeFault(id, `${name} names no time zone`, {
      hint: 'write one such as "Europe/Berlin" or "+02:00"',
    });
  }
  if (
    (name === 'timestamp' && Number.isNaN(Date.parse(text))) ||
    (name === 'duration' && !durationPattern.test(text))
  ) {
    const hint = name === 'timestamp' ? 'write "2026-11-25T08:00:00Z"' : 'write "90s", "15m" or "2h"';
    throw new TypeFault(id, `has a ${name} that cannot be read`, { hint });
  }
}

const durationPattern = /^-?(?:\d+(?:\.\d+)?(?:h|m|s|ms|us|ns))+$/;

/** Null for what is no literal text. */
export function stringOf(expression: Expression | undefined): string | null {
  if (expression?.exprKind.case !== 'constExpr') return null;
  const { constantKind } = expression.exprKind.value;
  return constantKind.case === 'stringValue' ? constantKind.value : null;
}
