import { isObject, type Json } from '../../protocol/index.ts';
import type { Run } from './run.ts';

/** A text that two values share if and only if JSON Schema calls them equal: objects without order, 1 like 1.0, −0 like 0. */
export function canonicalText(value: Json, run: Run): string {
  if (typeof value === 'string') {
    run.charge(1 + value.length);
    return JSON.stringify(value);
  }
  run.charge(4);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, run)).join(',')}]`;
  if (!isObject(value)) return String(value);
  const names = Object.keys(value).toSorted();
  run.charge(names.length);
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalText(value[name] ?? null, run)}`).join(',')}}`;
}
