import type { Json, JsonObject } from '../../protocol/index.ts';
import { isObject } from '../../protocol/index.ts';
import { arrayChecks } from './arrays.ts';
import { own, SchemaDocument, SchemaFault } from './document.ts';
import { inPlaceChecks } from './in-place.ts';
import { objectChecks } from './objects.ts';
import { type Check, type Misfit, pointerOf, Run, Seen, TooCostly } from './run.ts';
import { scalarChecks } from './scalars.ts';

/** What keyword files need of the compiler. */
export interface Compiler {
  readonly document: SchemaDocument;
  /** The same for the same schema: recursion ends. */
  compile(schema: Json): Check;
  /** Notes that a keyword says something which cannot be checked in linear time. */
  leaveUnchecked(pattern: string): void;
}

/** JSON Schema 2020-12, and what draft 4 to 7 have different (https://json-schema.org/draft/2020-12, -07). */
export interface CompiledSchema {
  /** Fits, does not, or could not be found out in bounded time. */
  check(value: JsonObject): Verdict;
  /** Patterns that are not looked at: they need more than linear time. */
  readonly unchecked: readonly string[];
}

export type Verdict =
  | { readonly fits: true }
  | { readonly fits: false; readonly path: string; readonly problem: string }
  | { readonly fits: 'unknown' };

/**
 * Compiled once for each definition of a tool, to closures: nothing is evaluated as code.
 *
 * @param schema the upstream's; untrusted
 * @throws SchemaFault if it is broken, too large, or refers to what is elsewhere
 */
export function compileSchema(schema: Json): CompiledSchema {
  const document = new SchemaDocument(schema);
  const unchecked = new Set<string>();
  const known = new Map<Json, Check>();
  const compiler: Compiler = {
    document,
    compile(part) {
      const before = known.get(part);
      if (before) return before;
      if (typeof part === 'boolean')
        return part ? () => null : (_, { place }) => ({ place, problem: 'is not allowed' });
      if (!isObject(part)) throw new SchemaFault('has something that is no schema where one belongs');
      let check: Check | null = null;
      const entry: Check = (value, at) => (check ?? nothing)(value, at);
      known.set(part, entry);
      check = metered(withOwnView(part, checksOf(part, compiler)));
      return entry;
    },
    leaveUnchecked: (pattern) => unchecked.add(pattern),
  };
  const check = compiler.compile(schema);
  return { check: (value) => verdict(check, value), unchecked: [...unchecked] };
}

const nothing: Check = () => null;

function checksOf(schema: JsonObject, compiler: Compiler): readonly Check[] {
  const reference = own(schema, '$ref');
  if (compiler.document.refStandsAlone && typeof reference === 'string') {
    return [compiler.compile(compiler.document.resolve(reference, schema))];
  }
  // `unevaluated…` asks what the others have looked at: in-place applicators and the keywords beside go first.
  return [
    ...scalarChecks(schema, compiler),
    ...inPlaceChecks(schema, compiler),
    ...objectChecks(schema, compiler),
    ...arrayChecks(schema, compiler),
  ];
}

/** What a schema with `unevaluated…` counts as looked at is what it and its parts have, not what stands beside it. */
function withOwnView(schema: JsonObject, checks: readonly Check[]): readonly Check[] {
  if (own(schema, 'unevaluatedProperties') === undefined && own(schema, 'unevaluatedItems') === undefined) {
    return checks;
  }
  return [
    (value, at) => {
      const seen = new Seen();
      for (const check of checks) {
        const misfit = check(value, { ...at, seen });
        if (misfit !== null) return misfit;
      }
      at.seen?.add(seen);
      return null;
    },
  ];
}

function metered(checks: readonly Check[]): Check {
  return (value, at) => {
    at.run.enter();
    for (const check of checks) {
      const misfit = check(value, at);
      if (misfit !== null) {
        at.run.leave();
        return misfit;
      }
    }
    at.run.leave();
    return null;
  };
}

function verdict(check: Check, value: JsonObject): Verdict {
  let misfit: Misfit | null;
  try {
    misfit = check(value, { place: null, run: new Run(), seen: null });
  } catch (error) {
    if (error instanceof TooCostly) return { fits: 'unknown' };
    throw error;
  }
  return misfit === null
    ? { fits: true }
    : { fits: false, path: pointerOf(misfit.place), problem: misfit.problem };
}
