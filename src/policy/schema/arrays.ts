import type { Json, JsonObject } from '../../protocol/index.ts';
import type { Compiler } from './compile.ts';
import { own, SchemaFault } from './document.ts';
import { canonicalText } from './equality.ts';
import { type At, type Check, type Misfit, Seen } from './run.ts';
import { numberOf } from './scalars.ts';

/** Keywords about the items of arrays. */
export function arrayChecks(schema: JsonObject, compiler: Compiler): Check[] {
  const checks = [
    ...lengthCheck(schema),
    ...uniqueCheck(schema),
    ...containsCheck(schema, compiler),
    ...itemCheck(schema, compiler),
  ];
  return checks.map((check) => (value, at) => (Array.isArray(value) ? check(value, at) : null));
}

type ArrayCheck = (value: readonly Json[], at: At) => Misfit | null;

function lengthCheck(schema: JsonObject): ArrayCheck[] {
  const least = numberOf(schema, 'minItems') ?? 0;
  const most = numberOf(schema, 'maxItems') ?? Number.POSITIVE_INFINITY;
  if (least <= 0 && most === Number.POSITIVE_INFINITY) return [];
  const problem = `must have ${most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`} items`;
  return [({ length }, { place }) => (length < least || length > most ? { place, problem } : null)];
}

function uniqueCheck(schema: JsonObject): ArrayCheck[] {
  if (own(schema, 'uniqueItems') !== true) return [];
  return [
    (value, { place, run }) => {
      const texts = new Set(value.map((item) => canonicalText(item, run)));
      return texts.size < value.length ? { place, problem: 'has an item twice' } : null;
    },
  ];
}

function containsCheck(schema: JsonObject, { compile }: Compiler): ArrayCheck[] {
  const written = own(schema, 'contains');
  if (written === undefined) return [];
  const check = compile(written);
  const least = numberOf(schema, 'minContains') ?? 1;
  const most = numberOf(schema, 'maxContains') ?? Number.POSITIVE_INFINITY;
  return [
    (value, at) => {
      let found = 0;
      value.forEach((item, index) => {
        if (check(item, inside(at, index)) !== null) return;
        found++;
        at.seen?.items.add(index);
      });
      return found < least || found > most
        ? { place: at.place, problem: 'has too few or too many items of the kind that it must contain' }
        : null;
    },
  ];
}

/** `prefixItems` and `items`; up to draft 2019-09 `items` as a list, and `additionalItems`. */
function itemCheck(schema: JsonObject, { compile }: Compiler): ArrayCheck[] {
  const one = (keyword: string) => {
    const written = own(schema, keyword);
    return written === undefined ? null : compile(written);
  };
  const items = own(schema, 'items');
  const first = own(schema, 'prefixItems') ?? (Array.isArray(items) ? items : []);
  if (!Array.isArray(first)) throw new SchemaFault('has prefixItems that is no list');
  const prefix = first.map(compile);
  const rest = Array.isArray(items) ? one('additionalItems') : one('items');
  const unevaluated = one('unevaluatedItems');
  if (prefix.length === 0 && rest === null && unevaluated === null) return [];
  return [
    (value, at) => {
      for (const [index, item] of value.entries()) {
        at.run.charge(1);
        const own = prefix[index] ?? rest ?? (at.seen?.items.has(index) ? null : unevaluated);
        if (!own) continue;
        const misfit = own(item, inside(at, index));
        if (misfit !== null) return misfit;
        at.seen?.items.add(index);
      }
      return null;
    },
  ];
}

function inside(at: At, index: number): At {
  return { place: { parent: at.place, key: index }, run: at.run, seen: at.seen && new Seen() };
}
