import { isObject, type Json, type JsonObject } from '../protocol/index.ts';
import { isGreedy } from './cues.ts';
import { type Finding, finding } from './finding.ts';

/** Keywords that say what is taken: without one more is taken, and what a larger number means. */
const bounds: Readonly<Record<string, 'most' | 'least' | 'exact'>> = {
  maxLength: 'most',
  maximum: 'most',
  exclusiveMaximum: 'most',
  maxItems: 'most',
  maxProperties: 'most',
  minLength: 'least',
  minimum: 'least',
  exclusiveMinimum: 'least',
  minItems: 'least',
  minProperties: 'least',
  pattern: 'exact',
  format: 'exact',
  const: 'exact',
  multipleOf: 'exact',
  uniqueItems: 'exact',
};

/** Said to people and models: compared as wording. */
const wording: ReadonlySet<string> = new Set(['title', 'description', '$comment', 'examples', 'example']);

/** Members that hold schemas by name. */
const named: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
]);

/**
 * How a schema differs from the one that is pinned, keyword by keyword. Both are the server's words and may be no schema.
 */
export function schemaChanges(before: Json | undefined, after: Json | undefined, path: string): Finding[] {
  if (!isObject(before) || !isObject(after)) {
    return isSame(before, after)
      ? []
      : [finding('low', 'schema_changed', path, after === undefined ? 'is gone' : 'is another')];
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => keywordChanges(key, { before, after, path }));
}

interface Sides {
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly path: string;
}

function keywordChanges(key: string, { before, after, path }: Sides): Finding[] {
  const [old, now] = [before[key], after[key]];
  const here = `${path}.${key}`;
  if (wording.has(key) || isSame(old, now)) return [];
  if (named.has(key)) return memberChanges(old, now, here, listOf(after['required']));
  if (key === 'required') return requiredChanges(listOf(old), listOf(now), here);
  if (key === 'enum') return enumChanges(old, now, here);
  if (key === 'type') return typeChanges(listOf(old), listOf(now), here);
  if (key === 'x-mcp-header')
    return [finding('high', 'schema_loosened', here, 'a value of it travels in a header')];
  if (key === '$ref')
    return [finding(isRemote(now) ? 'high' : 'low', 'schema_changed', here, 'refers to another schema')];
  if (key === 'additionalProperties' || key === 'unevaluatedProperties') return openness(old, now, here);
  const bound = bounds[key];
  if (bound) return [boundChange({ old, now, bound, path: here })];
  if (Array.isArray(old) && Array.isArray(now)) {
    const length = Math.max(old.length, now.length);
    return Array.from({ length }, (_, at) => schemaChanges(old[at], now[at], `${here}[${at}]`)).flat();
  }
  return isObject(old) && isObject(now)
    ? schemaChanges(old, now, here)
    : [finding('low', 'schema_changed', here, 'is another')];
}

function memberChanges(
  old: Json | undefined,
  now: Json | undefined,
  path: string,
  required: readonly string[],
): Finding[] {
  const [before, after] = [isObject(old) ? old : {}, isObject(now) ? now : {}];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name): Finding[] => {
    const here = `${path}.${name}`;
    if (!Object.hasOwn(after, name)) return [finding('low', 'schema_removed', here, 'is gone')];
    if (Object.hasOwn(before, name)) return schemaChanges(before[name], after[name], here);
    if (isGreedy(name))
      return [finding('high', 'exfiltration', here, 'a new parameter asks for what the model knows')];
    return required.includes(name)
      ? [finding('high', 'schema_added', here, 'a new parameter that every call has to fill in')]
      : [finding('low', 'schema_added', here, 'a new parameter')];
  });
}

function requiredChanges(old: readonly string[], now: readonly string[], path: string): Finding[] {
  const more = now.filter((name) => !old.includes(name));
  const fewer = old.filter((name) => !now.includes(name));
  return [
    ...more.map((name) => finding('low', 'schema_tightened', path, `${name} is required now`)),
    ...fewer.map((name) => finding('low', 'schema_loosened', path, `${name} is no longer required`)),
  ];
}

function enumChanges(old: Json | undefined, now: Json | undefined, path: string): Finding[] {
  if (!Array.isArray(now)) return [finding('high', 'schema_loosened', path, 'takes any value now')];
  if (!Array.isArray(old)) return [finding('low', 'schema_tightened', path, 'takes some values only')];
  const more = now.filter((value) => !old.some((one) => isSame(one, value)));
  return more.length > 0
    ? [finding('high', 'schema_loosened', path, `takes ${JSON.stringify(more).slice(0, 120)} too`)]
    : [finding('low', 'schema_tightened', path, 'takes fewer values')];
}

function typeChanges(old: readonly string[], now: readonly string[], path: string): Finding[] {
  const wider = now.length === 0 || (old.length > 0 && now.some((type) => !old.includes(type)));
  return [
    finding(
      wider ? 'high' : 'low',
      wider ? 'schema_loosened' : 'schema_tightened',
      path,
      `is ${now.join(' or ') || 'any type'} now`,
    ),
  ];
}

function openness(old: Json | undefined, now: Json | undefined, path: string): Finding[] {
  if (isObject(old) && isObject(now)) return schemaChanges(old, now, path);
  if (now === false) return [finding('low', 'schema_tightened', path, 'takes no further members')];
  return old === false || isObject(old)
    ? [finding('high', 'schema_loosened', path, 'takes further members now')]
    : [finding('low', 'schema_tightened', path, 'says more of further members')];
}

interface Bound {
  readonly old: Json | undefined;
  readonly now: Json | undefined;
  readonly bound: 'most' | 'least' | 'exact';
  readonly path: string;
}

function boundChange({ old, now, bound, path }: Bound): Finding {
  const tighter =
    old === undefined ||
    (typeof old === 'number' &&
      typeof now === 'number' &&
      ((bound === 'most' && now < old) || (bound === 'least' && now > old)));
  return tighter
    ? finding('low', 'schema_tightened', path, 'takes less than it did')
    : finding('high', 'schema_loosened', path, 'takes more than it did, or other values');
}

function isRemote(reference: Json | undefined): boolean {
  return typeof reference === 'string' && !reference.startsWith('#');
}

function listOf(value: Json | undefined): string[] {
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return list.filter((one): one is string => typeof one === 'string');
}

export function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), b as Record<string, Json>];
  return (
    left.length === Object.keys(b).length &&
    left.every(([key, value]) => Object.hasOwn(right, key) && isSame(value, right[key]))
  );
}
