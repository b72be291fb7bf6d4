import { isObject, type Json, type JsonObject } from '../../protocol/index.ts';
import type { LinearPattern } from '../linear-pattern.ts';
import type { Compiler } from './compile.ts';
import { own, SchemaFault } from './document.ts';
import { type At, type Check, type Misfit, Seen } from './run.ts';
import { numberOf, patternOf } from './scalars.ts';

/** Keywords about the members of objects. */
export function objectChecks(schema: JsonObject, compiler: Compiler): Check[] {
  const checks = [
    ...sizeCheck(schema),
    ...requiredCheck(schema),
    ...dependencies(schema, compiler),
    ...nameCheck(schema, compiler),
    ...memberCheck(schema, compiler),
  ];
  return checks.map((check) => (value, at) => (isObject(value) ? check(value, at) : null));
}

type ObjectCheck = (value: JsonObject, at: At) => Misfit | null;

function sizeCheck(schema: JsonObject): ObjectCheck[] {
  const least = numberOf(schema, 'minProperties') ?? 0;
  const most = numberOf(schema, 'maxProperties') ?? Number.POSITIVE_INFINITY;
  if (least <= 0 && most === Number.POSITIVE_INFINITY) return [];
  return [
    (value, { place, run }) => {
      const size = Object.keys(value).length;
      run.charge(size);
      return size < least || size > most ? { place, problem: 'has too few or too many members' } : null;
    },
  ];
}

function requiredCheck(schema: JsonObject): ObjectCheck[] {
  const required = own(schema, 'required');
  // Draft 3 and hand-written schemas have booleans here, which say nothing.
  if (required === undefined || typeof required === 'boolean') return [];
  const names = namesOf(required, 'required');
  return [(value, { place, run }) => missing(names, value, { place, run })];
}

function missing(
  names: readonly string[],
  value: JsonObject,
  { place, run }: Omit<At, 'seen'>,
): Misfit | null {
  run.charge(names.length);
  const name = names.find((one) => !Object.hasOwn(value, one));
  return name === undefined ? null : { place: { parent: place, key: name }, problem: 'is missing' };
}

function dependencies(schema: JsonObject, { compile }: Compiler): ObjectCheck[] {
  const checks: ObjectCheck[] = [];
  for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
    for (const [name, written] of Object.entries(mapOf(schema, keyword))) {
      if (Array.isArray(written)) {
        const names = namesOf(written, keyword);
        checks.push((value, at) => (Object.hasOwn(value, name) ? missing(names, value, at) : null));
      } else {
        const check = compile(written);
        checks.push((value, at) => (Object.hasOwn(value, name) ? check(value, at) : null));
      }
    }
  }
  return checks;
}

function nameCheck(schema: JsonObject, { compile }: Compiler): ObjectCheck[] {
  const written = own(schema, 'propertyNames');
  if (written === undefined) return [];
  const check = compile(written);
  return [
    (value, { place, run }) => {
      for (const name of Object.keys(value)) {
        const misfit = check(name, { place: null, run, seen: null });
        if (misfit) return { place, problem: 'has a member whose name the schema does not allow' };
      }
      return null;
    },
  ];
}

interface Members {
  readonly named: ReadonlyMap<string, Check>;
  readonly patterns: readonly { readonly pattern: LinearPattern | null; readonly check: Check }[];
  readonly others: Check | null;
  readonly unevaluated: Check | null;
}

function memberCheck(schema: JsonObject, compiler: Compiler): ObjectCheck[] {
  const one = (keyword: string) => {
    const written = own(schema, keyword);
    return written === undefined ? null : compiler.compile(written);
  };
  const members: Members = {
    named: new Map(
      Object.entries(mapOf(schema, 'properties')).map(([name, part]) => [name, compiler.compile(part)]),
    ),
    patterns: Object.entries(mapOf(schema, 'patternProperties')).map(([pattern, part]) => ({
      pattern: patternOf(pattern, compiler),
      check: compiler.compile(part),
    })),
    others: one('additionalProperties'),
    unevaluated: one('unevaluatedProperties'),
  };
  const { named, patterns, others, unevaluated } = members;
  if (named.size === 0 && patterns.length === 0 && others === null && unevaluated === null) return [];
  return [(value, at) => checkMembers(members, value, at)];
}

/** Which members the keywords beside have looked at is known by then: in-place applicators come before (`compile.ts`). */
function checkMembers(members: Members, value: JsonObject, at: At): Misfit | null {
  for (const [name, member] of Object.entries(value)) {
    at.run.charge(1 + members.patterns.length);
    const misfit = checkMember(members, { name, member }, at);
    if (misfit !== null) return misfit;
  }
  return null;
}

function checkMember(
  members: Members,
  { name, member }: { name: string; member: Json },
  at: At,
): Misfit | null {
  const { run } = at;
  const named = members.named.get(name);
  const inside = (key: string): At => ({
    place: { parent: at.place, key },
    run,
    seen: at.seen && new Seen(),
  });
  let known = named !== undefined;
  let misfit = named ? named(member, inside(name)) : null;
  for (const { pattern, check } of members.patterns) {
    if (pattern !== null) run.charge(name.length * pattern.stepsPerCharacter);
    // A pattern that cannot be matched may match: what it describes is then no stranger, and is not checked.
    if (pattern !== null && !pattern.test(name)) continue;
    known = true;
    if (pattern !== null) misfit ??= check(member, inside('*'));
  }
  if (!known && members.others !== null) {
    known = true;
    misfit ??= stranger(members.others(member, inside('*')), at);
  }
  if (!known && members.unevaluated !== null && !at.seen?.properties.has(name)) {
    known = true;
    misfit ??= stranger(members.unevaluated(member, inside('*')), at);
  }
  if (known) at.seen?.properties.add(name);
  return misfit;
}

/** `additionalProperties: false` is said of the object: the name is the caller's own. */
function stranger(misfit: Misfit | null, { place }: At): Misfit | null {
  if (misfit?.problem !== 'is not allowed') return misfit;
  return { place, problem: 'has a member that the schema does not have' };
}

function mapOf(schema: JsonObject, keyword: string): JsonObject {
  const value = own(schema, keyword);
  if (value === undefined) return {};
  if (!isObject(value)) throw new SchemaFault(`has ${keyword} that is no object`);
  return value;
}

function namesOf(value: Json, keyword: string): string[] {
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string'))
    throw new SchemaFault(`has ${keyword} that is no list of names`);
  return value;
}
