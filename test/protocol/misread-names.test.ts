import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal } from '../../src/base/index.ts';
import { parseJson, parseUpstreamJson } from '../../src/protocol/index.ts';

const read = (text: string) => {
  const value = parseJson(Buffer.from(text), 64);
  return isRefusal(value) ? value.message : value;
};

let objects = 0;
/**
 * An object with this name, written so. V8 reads the name as the text up to its length, if that came next in an earlier object that
 * began alike (src/base/json.ts): such an object is parsed first, with a beginning of its own.
 */
function trap(raw: string): string {
  objects += 1;
  const { length } = JSON.parse(`"${raw}"`) as string;
  const start = `{"object":1,"number ${objects}":1`;
  JSON.parse(`${start},${JSON.stringify(raw.slice(0, length))}:1}`);
  return `${start},"${raw}":1}`;
}

const misread: readonly (readonly [raw: string, name: string])[] = [
  [String.raw`\"`, '"'],
  [String.raw`\u00e9`, 'é'],
  [String.raw`a\n`, 'a\n'],
  [String.raw`x\/y`, 'x/y'],
  [String.raw`path\u4e16`, 'path世'],
];

test('the traps hold: JSON.parse alone falls into each', {
  skip: !process.versions.v8.startsWith('13.6.') && 'another V8',
}, () => {
  for (const [raw, name] of misread) {
    const names = Object.keys(JSON.parse(trap(raw)) as object);
    assert.equal(names[2], raw.slice(0, name.length));
  }
});

const readers = { 'a caller': read, 'an upstream': parseUpstreamJson };
for (const [whose, reader] of Object.entries(readers)) {
  test(`names in the message of ${whose} are those that are written`, () => {
    for (const [raw, name] of misread) {
      assert.equal(Object.keys(reader(trap(raw)) as object)[2], name);
      const inner = reader(`{"a":[{"b":${trap(raw)}}]}`) as { a: { b: object }[] };
      assert.equal(Object.keys(inner.a[0]?.b ?? {})[2], name);
    }
  });

  test(`two misread names in the message of ${whose} cannot stand in for each other`, () => {
    // What V8 makes of either, once it knows both, is the other.
    const [one, other] = [String.raw`\u005c\\u005`, String.raw`\\u005c`];
    const text = `{"x":${trap(one)},"y":${trap(other)}}`;
    const { x, y } = reader(text) as { x: object; y: object };
    assert.deepEqual([Object.keys(x)[2], Object.keys(y)[2]], ['\\\\u005', '\\u005c']);
  });
}

test('a name is refused with escapes that no writer of JSON makes: a server behind could misread it', () => {
  const refused = 'The name of a member is written with an escape that it does not need';
  for (const name of [
    String.raw`\u0061ud`,
    String.raw`\u0022\u0061`,
    String.raw`\\\u005f`,
    String.raw`_met\u0061`,
    String.raw`a\u002fb`,
    String.raw`\u00e9\u0041`,
  ]) {
    assert.equal(read(`{"params":{"${name}":1}}`), refused, name);
    assert.notEqual(read(`{"params":"${name}"}`), refused, 'a value may have any escape');
  }
});

test('names with escapes may come often, but not in endless variety', () => {
  const rows = `[${Array.from({ length: 20_000 }, () => String.raw`{"\u540d":1}`).join(',')}]`;
  assert.equal((read(rows) as unknown[]).length, 20_000);
  const many = `{${Array.from({ length: 20_000 }, (_, at) => String.raw`"\n${at}":1`).join(',')}}`;
  assert.equal(read(many), 'Too many names are written with escapes');
});

test('names pass as PHP, Python, Go, .NET and Java write them', () => {
  for (const [text, name] of [
    [String.raw`io\/x`, 'io/x'],
    [String.raw`\u00e9\u4e16\ud83d\ude42`, 'é世🙂'],
    [String.raw`\u003ca\u003e\u0026`, '<a>&'],
    [String.raw`\u0027\u002B\u0060\u003D\u0022`, '\'+`="'],
    [String.raw`\\u0061`, '\\u0061'],
    [String.raw`\u0000\b\f\n\r\t\u007F\\\"`, '\0\b\f\n\r\t\u007f\\"'],
  ] as const) {
    assert.deepEqual(read(`{"${text}":1}`), { [name]: 1 });
  }
});
