import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { readJson } from '../../src/base/index.ts';

/** In a process of its own, since what V8 has parsed decides what it reads. */
function namesAfter(before: string, text: string, read: 'JSON.parse' | 'readJson'): string[] {
  const program = `
    import { readJson } from ${JSON.stringify(new URL('../../src/base/json.ts', import.meta.url).href)};
    const [before, text] = JSON.parse(process.env.TEXTS);
    JSON.parse(before);
    console.log(JSON.stringify(Object.keys(${read}(text))));`;
  const env = { ...process.env, TEXTS: JSON.stringify([before, text]) };
  const options = { encoding: 'utf8', env } as const;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', program], options),
  ) as string[];
}

describe('names that V8 13.6 misreads', () => {
  const cases: readonly (readonly [before: string, text: string, names: string[], misread: string[]])[] = [
    [String.raw`{"q":1,"\\":1}`, String.raw`{"q":1,"\"":1}`, ['q', '"'], ['q', '\\']],
    [String.raw`{"q":1,"\\u0":1}`, String.raw`{"q":1,"\u0061ud":1}`, ['q', 'aud'], ['q', '\\u0']],
    [String.raw`{"q":1,"a\\":1}`, String.raw`{"q":1,"a\u00e9":1}`, ['q', 'aé'], ['q', 'a\\']],
  ];
  for (const [before, text, names, misread] of cases) {
    it(`${text} after ${before}`, () => {
      assert.deepEqual(namesAfter(before, text, 'readJson'), names);
      const plain = namesAfter(before, text, 'JSON.parse');
      // Should a later V8 be without the fault, this fails and readJson can go.
      assert.deepEqual(plain, process.versions.v8.startsWith('13.6.') ? misread : plain);
    });
  }
});

const quote = (text: string) => JSON.stringify(text);
const escapeAll = (text: string) =>
  `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;
const name = fc.oneof(
  fc.string({ unit: fc.constantFrom('\\', '"', 'u', '0', '6', 'a', 'é', '\n', '世'), maxLength: 6 }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('__proto__', 'constructor', '7', ''),
);

/** Text and the value that it says, from the same choices: V8 has no part in it. */
const document = fc.letrec<{ value: readonly [string, unknown] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => [quote(text), text] as const),
      fc.constantFrom([String.raw`"\":"`, '":'] as const, ['1.5', 1.5] as const, ['null', null] as const),
    ),
    fc
      .array(tie('value'), { maxLength: 4 })
      .map((all) => [`[${all.map(([text]) => text).join(' ,')}]`, all.map(([, value]) => value)] as const),
    fc
      .uniqueArray(fc.tuple(name, fc.boolean(), tie('value')), { maxLength: 5, selector: ([one]) => one })
      .map((members) => {
        const text = members.map(([one, all, [inner]]) => `${all ? escapeAll(one) : quote(one)} :\t${inner}`);
        return [
          `{${text.join(',\n')}}`,
          Object.fromEntries(members.map(([one, , [, value]]) => [one, value])),
        ] as const;
      }),
  ),
})).value;

test('every name and value is read as it was written', () => {
  fc.assert(
    fc.property(document, ([text, value]) => {
      assert.deepEqual(readJson(text), value);
    }),
    { numRuns: 2_000 },
  );
});

test('of doubled members the last counts, as JSON.parse has it', () => {
  assert.deepEqual(readJson(String.raw`{"a":1,"\u0061":2,"b":3}`), { a: 2, b: 3 });
});

test('what is no JSON is refused as JSON.parse refuses it', () => {
  for (const text of ['', '{', String.raw`{"\x":1}`, '{"a":1,}', '"\n"'])
    assert.throws(() => readJson(text), SyntaxError);
});

test('text that is made to be slow is read in linear time', () => {
  for (const text of [
    `"${'\\\\'.repeat(500_000)}"`,
    `"${'\\"'.repeat(500_000)}"`,
    `[${'"\\"",'.repeat(100_000)}1]`,
    `{${Array.from({ length: 20_000 }, (_, at) => `"\\n${at}":1`).join(',')}}`,
  ]) {
    const start = process.hrtime.bigint();
    readJson(text);
    assert.ok(process.hrtime.bigint() - start < 2_000_000_000n);
  }
});
