import { messageOf, readJson } from '../base/index.ts';
import type { Json, JsonObject } from '../protocol/index.ts';
import type { ToolFacts } from './decision.ts';
import { type CompiledSchema, compileSchema, SchemaFault } from './schema/index.ts';

/** Do the arguments fit the tool's own input schema? Asked of calls that the policy allows. */
export interface ArgumentsCheck {
  /** @param args attacker-controlled */
  check(facts: ToolFacts, args: JsonObject): ArgumentsVerdict;
}

export type ArgumentsVerdict =
  | { readonly fits: true }
  /** `path`: JSON pointer of schema names and numbers, `*` for a name of the caller's. Neither holds a value. */
  | { readonly fits: false; readonly path: string; readonly problem: string }
  /** The schema is of no use, or too costly for these arguments. */
  | { readonly fits: 'unknown'; readonly reason: string };

/** What is wrong with a tool's schema, told once for each definition. */
export interface SchemaFinding {
  readonly tool: string;
  /** Calls are refused, or sent with a part unchecked. */
  readonly refused: boolean;
  readonly reason: string;
}

const maxSchemas = 10_000;
/** Of schema texts together, in characters. */
const maxTexts = 32 * 1024 * 1024;

type Compiled = CompiledSchema | { readonly fault: string };

/** Schemas are compiled once for each text of a definition and kept, within bounds, for as long as they are used. */
export function createArgumentsCheck(tell: (finding: SchemaFinding) => void): ArgumentsCheck {
  const compiled = new Map<string, Compiled>();
  let texts = 0;

  function keep(text: string, schema: Compiled): void {
    compiled.set(text, schema);
    texts += text.length;
    for (const oldest of compiled.keys()) {
      if (compiled.size <= maxSchemas && texts <= maxTexts) return;
      compiled.delete(oldest);
      texts -= oldest.length;
    }
  }

  function schemaOf(tool: string, text: string): Compiled {
    const known = compiled.get(text);
    if (known) return known;
    const schema = compile(text);
    keep(text, schema);
    for (const finding of findingsOf(tool, schema)) tell(finding);
    return schema;
  }

  return {
    check({ name, inputSchema }, args) {
      if (inputSchema === undefined) return { fits: true };
      const schema = schemaOf(name, inputSchema);
      if ('fault' in schema) return { fits: 'unknown', reason: `the schema ${schema.fault}` };
      const verdict = schema.check(args);
      return verdict.fits === 'unknown' ? { ...verdict, reason: 'the check takes too long' } : verdict;
    },
  };
}

function compile(text: string): Compiled {
  try {
    return compileSchema(readJson(text) as Json);
  } catch (error) {
    // Anything else is a schema that is nested too deeply for us to read.
    return { fault: error instanceof SchemaFault ? messageOf(error) : 'cannot be read' };
  }
}

function findingsOf(tool: string, schema: Compiled): SchemaFinding[] {
  if ('fault' in schema) return [{ tool, refused: true, reason: schema.fault }];
  return schema.unchecked.map((pattern) => ({
    tool,
    refused: false,
    reason: `has a pattern that cannot be matched in linear time: ${pattern.slice(0, 200)}`,
  }));
}
