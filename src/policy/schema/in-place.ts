import type { Json, JsonObject } from '../../protocol/index.ts';
import type { Compiler } from './compile.ts';
import { own, SchemaFault } from './document.ts';
import { type At, type Check, depthOf, type Misfit, Seen } from './run.ts';

/** Keywords that apply further schemas to the same value. */
export function inPlaceChecks(schema: JsonObject, compiler: Compiler): Check[] {
  return [
    ...references(schema, compiler),
    ...listOf(schema, 'allOf').map((part) => compiler.compile(part)),
    ...alternatives(schema, compiler),
    ...negation(schema, compiler),
    ...condition(schema, compiler),
  ];
}

function references(schema: JsonObject, { document, compile }: Compiler): Check[] {
  const checks: Check[] = [];
  for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef'] as const) {
    const reference = own(schema, keyword);
    if (reference === undefined) continue;
    if (typeof reference !== 'string') throw new SchemaFault(`has a ${keyword} that is no text`);
    const isDynamic = keyword === '$dynamicRef';
    checks.push(
      compile(isDynamic ? document.resolveDynamic(reference, schema) : document.resolve(reference, schema)),
    );
  }
  return checks;
}

function alternatives(schema: JsonObject, compiler: Compiler): Check[] {
  const checks: Check[] = [];
  if (own(schema, 'anyOf') !== undefined) {
    const parts = listOf(schema, 'anyOf').map(compiler.compile);
    const all = compiler.document.usesUnevaluated;
    checks.push((value, at) => countFitting(parts, value, { at, enough: all ? parts.length : 1 }).misfit);
  }
  if (own(schema, 'oneOf') !== undefined) {
    const parts = listOf(schema, 'oneOf').map(compiler.compile);
    checks.push((value, at) => {
      const { fitting, misfit } = countFitting(parts, value, { at, enough: 2 });
      return fitting > 1 ? { place: at.place, problem: 'fits more than one of the alternatives' } : misfit;
    });
  }
  return checks;
}

function countFitting(
  parts: readonly Check[],
  value: Json,
  { at, enough }: { at: At; enough: number },
): { fitting: number; misfit: Misfit | null } {
  let fitting = 0;
  let nearest: Misfit | null = null;
  for (const part of parts) {
    const misfit = attempt(part, value, at);
    if (misfit === null) fitting++;
    else if (nearest === null || depthOf(misfit.place) > depthOf(nearest.place)) nearest = misfit;
    if (fitting >= enough) break;
  }
  if (fitting > 0) return { fitting, misfit: null };
  const deep = nearest !== null && depthOf(nearest.place) > depthOf(at.place) && parts.length > 0;
  const here = { place: at.place, problem: 'fits none of the alternatives' };
  return { fitting, misfit: deep || parts.length === 1 ? (nearest ?? here) : here };
}

/** What a schema that does not fit has looked at does not count. */
function attempt(check: Check, value: Json, at: At): Misfit | null {
  if (at.seen === null) return check(value, at);
  const seen = new Seen();
  const misfit = check(value, { ...at, seen });
  if (misfit === null) {
    at.run.charge(seen.properties.size + seen.items.size);
    at.seen.add(seen);
  }
  return misfit;
}

function negation(schema: JsonObject, { compile }: Compiler): Check[] {
  const written = own(schema, 'not');
  if (written === undefined) return [];
  const check = compile(written);
  return [
    (value, at) =>
      check(value, { ...at, seen: at.seen && new Seen() }) === null
        ? { place: at.place, problem: 'is what the schema excludes' }
        : null,
  ];
}

function condition(schema: JsonObject, { compile }: Compiler): Check[] {
  const written = own(schema, 'if');
  if (written === undefined) return [];
  const test = compile(written);
  const [then, otherwise] = ['then', 'else'].map((keyword) => {
    const part = own(schema, keyword);
    return part === undefined ? null : compile(part);
  });
  return [
    (value, at) => {
      const branch = attempt(test, value, at) === null ? then : otherwise;
      return branch ? branch(value, at) : null;
    },
  ];
}

function listOf(schema: JsonObject, keyword: string): readonly Json[] {
  const value = own(schema, keyword) ?? [];
  if (!Array.isArray(value)) throw new SchemaFault(`has ${keyword} that is no list`);
  return value;
}
