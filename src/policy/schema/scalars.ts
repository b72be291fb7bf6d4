import { isObject, type Json, type JsonObject } from '../../protocol/index.ts';
import { compileLinearPattern, type LinearPattern } from '../linear-pattern.ts';
import type { Compiler } from './compile.ts';
import { own, SchemaFault } from './document.ts';
import { canonicalText } from './equality.ts';
import { type Check, Run } from './run.ts';

/** `type`, `enum`, `const`, and what is said of numbers and texts. `format` is an annotation, as 2020-12 has it. */
export function scalarChecks(schema: JsonObject, compiler: Compiler): Check[] {
  return [
    ...typeCheck(schema),
    ...valueChecks(schema),
    ...numberChecks(schema),
    ...textChecks(schema, compiler),
  ];
}

const types: Readonly<Record<string, { readonly is: (value: Json) => boolean; readonly inWords: string }>> = {
  null: { is: (value) => value === null, inWords: 'null' },
  boolean: { is: (value) => typeof value === 'boolean', inWords: 'true or false' },
  integer: { is: (value) => Number.isInteger(value), inWords: 'a whole number' },
  number: { is: (value) => typeof value === 'number', inWords: 'a number' },
  string: { is: (value) => typeof value === 'string', inWords: 'a text' },
  array: { is: (value) => Array.isArray(value), inWords: 'an array' },
  object: { is: isObject, inWords: 'an object' },
};

function typeCheck(schema: JsonObject): Check[] {
  const written = own(schema, 'type');
  if (written === undefined) return [];
  const wanted = (Array.isArray(written) ? written : [written]).map((name) => {
    const type = typeof name === 'string' && Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined) throw new SchemaFault('has a type that there is not');
    return type;
  });
  const problem = `must be ${wanted.map(({ inWords }) => inWords).join(' or ')}`;
  return [(value, { place }) => (wanted.some(({ is }) => is(value)) ? null : { place, problem })];
}

function valueChecks(schema: JsonObject): Check[] {
  const listed = own(schema, 'enum');
  const only = own(schema, 'const');
  if (listed !== undefined && !Array.isArray(listed)) throw new SchemaFault('has an enum that is no list');
  return [
    ...(listed ? [oneOfValues(listed, 'must be one of the values that the schema lists')] : []),
    ...(only !== undefined ? [oneOfValues([only], 'must be the value that the schema gives')] : []),
  ];
}

function oneOfValues(values: readonly Json[], problem: string): Check {
  const known = new Set<string>();
  try {
    const run = new Run();
    for (const value of values) known.add(canonicalText(value, run));
  } catch {
    throw new SchemaFault('is too large');
  }
  return (value, { place, run }) => (known.has(canonicalText(value, run)) ? null : { place, problem });
}

function numberChecks(schema: JsonObject): Check[] {
  const checks: Check[] = [];
  const add = (keyword: string, fits: (value: number, limit: number) => boolean, inWords: string) => {
    const limit = numberOf(schema, keyword);
    if (limit === null) return;
    const problem = `must be ${inWords} ${limit}`;
    checks.push((value, { place }) =>
      typeof value !== 'number' || fits(value, limit) ? null : { place, problem },
    );
  };
  // Draft 4: a boolean beside the limit.
  const above = own(schema, 'exclusiveMinimum') === true;
  const below = own(schema, 'exclusiveMaximum') === true;
  add(
    'minimum',
    (value, limit) => (above ? value > limit : value >= limit),
    above ? 'more than' : 'at least',
  );
  add('maximum', (value, limit) => (below ? value < limit : value <= limit), below ? 'less than' : 'at most');
  add('exclusiveMinimum', (value, limit) => value > limit, 'more than');
  add('exclusiveMaximum', (value, limit) => value < limit, 'less than');
  add('multipleOf', isMultiple, 'a multiple of');
  return checks;
}

/** Fractions of ten have no exact binary form: 0.3 is a multiple of 0.1. */
function isMultiple(value: number, of: number): boolean {
  if (of <= 0) return true;
  const times = value / of;
  const error = Math.abs(times - Math.round(times));
  return error === 0 || error <= Math.min(1e-6, Math.abs(times) * Number.EPSILON * 4);
}

function textChecks(schema: JsonObject, compiler: Compiler): Check[] {
  const checks: Check[] = [];
  const shortest = numberOf(schema, 'minLength');
  const longest = numberOf(schema, 'maxLength');
  if (shortest !== null || longest !== null)
    checks.push(lengthCheck(shortest ?? 0, longest ?? Number.POSITIVE_INFINITY));
  const written = own(schema, 'pattern');
  if (written !== undefined && typeof written !== 'string')
    throw new SchemaFault('has a pattern that is no text');
  const pattern = written === undefined ? null : patternOf(written, compiler);
  if (pattern !== null) {
    const problem = 'must match the pattern of the schema';
    checks.push((value, { place, run }) => {
      if (typeof value !== 'string') return null;
      run.charge(value.length * pattern.stepsPerCharacter);
      return pattern.test(value) ? null : { place, problem };
    });
  }
  return checks;
}

/** @returns null where it cannot be matched in linear time: the rest of the schema is checked all the same */
export function patternOf(written: string, compiler: Compiler): LinearPattern | null {
  const pattern = compileLinearPattern(written);
  if (pattern === null) compiler.leaveUnchecked(written);
  return pattern;
}

/** In code points (2020-12 validation, section 6.3). A code point is one or two units. */
function lengthCheck(shortest: number, longest: number): Check {
  const problem =
    longest === Number.POSITIVE_INFINITY
      ? `must have at least ${shortest} characters`
      : `must have ${shortest} to ${longest} characters`;
  return (value, { place, run }) => {
    if (typeof value !== 'string') return null;
    if (value.length < shortest || value.length > 2 * longest) return { place, problem };
    if (value.length >= 2 * shortest && value.length <= longest) return null;
    run.charge(value.length / 8);
    let length = 0;
    for (const _ of value) length++;
    return length < shortest || length > longest ? { place, problem } : null;
  };
}

/** @returns null where the keyword is not there, or is a draft-4 boolean */
export function numberOf(schema: JsonObject, keyword: string): number | null {
  const value = own(schema, keyword);
  if (value === undefined || typeof value === 'boolean') return null;
  if (typeof value !== 'number') throw new SchemaFault(`has a ${keyword} that is no number`);
  return value;
}
