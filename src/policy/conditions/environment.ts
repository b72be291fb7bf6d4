import type { CelEnv, CelFunc, CelInput, CelList } from '@bufbuild/cel';
import { compileLinearPattern, type LinearPattern } from '../linear-pattern.ts';
import { type Library, library } from './library.ts';
import { Meter, patternCharge } from './meter.ts';
import { timeFunctions } from './time.ts';

/** What expressions run in: the library's functions, some of them replaced, and the meter that all are charged to. */
export interface ConditionEnvironment {
  readonly cel: CelEnv;
  readonly meter: Meter;
}

let made: ConditionEnvironment | null = null;

export function conditionEnvironment(): ConditionEnvironment {
  made ??= make(library());
  return made;
}

function make(cel: Library): ConditionEnvironment {
  const meter = new Meter();
  const timestamp = timestampType(cel);
  const funcs = [concatenation(cel, meter), ...timeFunctions(cel, timestamp)];
  return {
    cel: cel.celEnv({ funcs, re2: { compile: (pattern) => metered(patternOf(pattern), meter) } }),
    meter,
  };
}

/**
 * `map` and `filter` add to a list one element at a time. The library's own concatenation is a chain as long as the list, walked anew for
 * each element; this one copies arrays, which are remembered because the library does not give them out.
 */
function concatenation({ celFunc, celList, listType, CelScalar }: Library, meter: Meter): CelFunc {
  const list = listType(CelScalar.DYN);
  const arrays = new WeakMap<CelList, readonly CelInput[]>();
  const arrayOf = (one: CelList) => arrays.get(one) ?? ([...one] as CelInput[]);
  return celFunc('_+_', [list, list], list, (left: CelList, right: CelList) => {
    meter.charge(1 + (left.size + right.size) / 8);
    const array = arrayOf(left).concat(arrayOf(right));
    const made = celList(array);
    arrays.set(made, array);
    return made;
  });
}

function timestampType({ celEnv }: Library): CelFunc['result'] {
  for (const { name, result } of celEnv().funcs) if (name === 'timestamp') return result;
  throw new Error('the library has no timestamps');
}

/** Patterns are literals (the type check sees to it), so there are few. */
const patterns = new Map<string, LinearPattern>();

function patternOf(text: string): LinearPattern {
  const known = patterns.get(text);
  if (known) return known;
  const compiled = compileLinearPattern(text);
  if (compiled === null) throw new Error('it is no regular expression');
  if (patterns.size < 5_000) patterns.set(text, compiled);
  return compiled;
}

function metered(pattern: LinearPattern, meter: Meter): { test(text: string): boolean } {
  return {
    test(text) {
      meter.charge(text.length * pattern.stepsPerCharacter * patternCharge);
      return pattern.test(text);
    },
  };
}
