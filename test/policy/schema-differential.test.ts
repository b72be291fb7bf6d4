import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Ajv, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { compileSchema } from '../../src/policy/schema/index.ts';
import type { Json, JsonObject } from '../../src/protocol/index.ts';

// ajv makes code of schemas, so it cannot serve here; as the judge of what a schema means it has no equal.

const options: Options = { strict: false, validateFormats: false, logger: false };

const names = fc.constantFrom('a', 'b', 'c', 'ab'); // of Object.prototype ajv has ideas of its own
const scalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json[]>(null, true, false, 0, -0, 1, 2, 3, 1.5, 0.3, '', 'a', 'ab', 'abc', '\u{1f600}'),
);
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(names, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const instance = fc.dictionary(names, value, { maxKeys: 4, noNullPrototype: true });

const typeName = fc.constantFrom('null', 'boolean', 'integer', 'number', 'string', 'array', 'object');
const small = fc.integer({ min: 0, max: 3 });

function schemas(dialect: '2020-12' | 'draft-07'): fc.Arbitrary<Json> {
  const { schema } = fc.letrec<{ schema: Json }>((tie) => {
    const sub = tie('schema');
    const subs = fc.array(sub, { minLength: 1, maxLength: 3 });
    const map = fc.dictionary(names, sub, { maxKeys: 3, noNullPrototype: true });
    const both: Record<string, fc.Arbitrary<unknown>> = {
      type: fc.oneof(typeName, fc.uniqueArray(typeName, { minLength: 1, maxLength: 3 })),
      enum: fc.uniqueArray(value, { minLength: 1, maxLength: 3, selector: (one) => JSON.stringify(one) }),
      const: value,
      minimum: small,
      exclusiveMaximum: small,
      multipleOf: fc.constantFrom(1, 2, 0.5),
      minLength: small,
      maxLength: small,
      pattern: fc.constantFrom('^a', 'b$', '^[a-c]+$', '.'),
      minItems: small,
      maxItems: small,
      uniqueItems: fc.boolean(),
      contains: sub,
      properties: map,
      patternProperties: fc.dictionary(fc.constantFrom('^a', 'c', 'o'), sub, {
        maxKeys: 2,
        noNullPrototype: true,
      }),
      additionalProperties: sub,
      required: fc.uniqueArray(names, { maxLength: 2 }),
      minProperties: small,
      maxProperties: small,
      propertyNames: sub,
      allOf: subs,
      anyOf: subs,
      oneOf: subs,
      not: sub,
      if: sub,
      // biome-ignore lint/suspicious/noThenProperty: the keyword
      then: sub,
      else: sub,
      $ref: fc.constantFrom('#', '#/definitions/x', '#/$defs/x'),
    };
    const own: Record<string, fc.Arbitrary<unknown>> = dialect === '2020-12'
      ? {
          prefixItems: subs,
          items: sub,
          minContains: small,
          maxContains: small,
          unevaluatedProperties: sub,
          unevaluatedItems: sub,
          dependentRequired: fc.dictionary(names, fc.uniqueArray(names, { maxLength: 2 }), {
            maxKeys: 2,
            noNullPrototype: true,
          }),
          dependentSchemas: map,
        }
      : {
          items: fc.oneof(sub, subs),
          additionalItems: sub,
          dependencies: fc.dictionary(names, fc.oneof(sub, fc.uniqueArray(names, { maxLength: 2 })), {
            maxKeys: 2,
            noNullPrototype: true,
          }),
        };
    const keywords = fc
      .subarray(Object.keys({ ...both, ...own }), { minLength: 1, maxLength: 4 })
      .chain((chosen) =>
        fc.record(
          Object.fromEntries(
            chosen.map((name) => [name, { ...both, ...own }[name] as fc.Arbitrary<unknown>]),
          ),
        ),
      );
    // Up to draft 7 a reference hides what stands beside it; ajv looks at both.
    const alone = (written: object): Json =>
      dialect === 'draft-07' && '$ref' in written
        ? { $ref: written.$ref as string }
        : (written as JsonObject);
    return {
      schema: fc.oneof({ maxDepth: 4, depthSize: 'small' }, fc.boolean(), keywords.map(alone)),
    };
  });
  return schema;
}

for (const dialect of ['2020-12', 'draft-07'] as const) {
  it(`${dialect}: schemas mean what ajv says`, { timeout: 120_000 }, () => {
    let judged = 0;
    fc.assert(
      fc.property(
        schemas(dialect),
        schemas(dialect),
        fc.array(instance, { minLength: 4, maxLength: 6 }),
        (schema, definition, instances) => {
          if (typeof schema === 'boolean') return;
          const $schema =
            dialect === '2020-12'
              ? 'https://json-schema.org/draft/2020-12/schema'
              : 'http://json-schema.org/draft-07/schema#';
          const whole = {
            ...(schema as JsonObject),
            $schema,
            definitions: { x: definition },
            $defs: { x: definition },
          };
          const ajv = dialect === '2020-12' ? new Ajv2020(options) : new Ajv(options);
          const theirs = outcome(() => ajv.compile(structuredClone(whole)));
          if (theirs === null) return; // ajv gives up, as on a reference that leads nowhere
          const ours = compileSchema(JSON.parse(JSON.stringify(whole)) as Json);
          for (const one of instances) {
            const value = JSON.parse(JSON.stringify(one)) as JsonObject;
            const expected: boolean | null = outcome((): boolean => Boolean(theirs(value)));
            if (expected === null) continue; // it goes in circles: ours says that it does not know
            const verdict = ours.check(value);
            if (verdict.fits === 'unknown') continue;
            judged++;
            assert.equal(verdict.fits, expected, JSON.stringify({ whole, value, verdict }));
          }
        },
      ),
      { numRuns: 150 },
    );
    assert.ok(judged > 200, `only ${judged} values were judged`);
  });
}

function outcome<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
