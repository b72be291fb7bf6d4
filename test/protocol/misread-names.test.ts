import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal } from '../../src/base/index.ts';
import { parseJson, parseUpstreamJson } from '../../src/protocol/index.ts';

const read = (text: string) => {
  const value = parseJson(Buffer.from(text), 64);
  return isRefusal(value) ? value.message : value;
};

// V8 takes one escaped name for another after objects like these: see src/base/json.ts.
for (const before of ['\\', '\\u0', '\\u00', 'a\\', '\\/', 'x\\/'])
  JSON.parse(JSON.stringify({ [before]: 1 }));

const readers = { 'a caller': read, 'an upstream': parseUpstreamJson };
for (const [whose, reader] of Object.entries(readers)) {
  test(`names in the message of ${whose} are those that are written`, () => {
    assert.deepEqual(reader(String.raw`{"\"":1}`), { '"': 1 });
    assert.deepEqual(reader(String.raw`{"\u00e9":1}`), { é: 1 });
    assert.deepEqual(reader(String.raw`{"a\n":1}`), { 'a\n': 1 });
    assert.deepEqual(reader(String.raw`{"x\/y":{"\/":1}}`), { 'x/y': { '/': 1 } });
  });

  test(`two misread names in the message of ${whose} cannot stand in for each other`, () => {
    // What V8 makes of either, once it knows both, is the other.
    const [one, other] = [String.raw`\u005c\\u005`, String.raw`\\u005c`];
    for (const name of [JSON.parse(`"${one}"`), JSON.parse(`"${other}"`)] as string[])
      JSON.parse(JSON.stringify({ [name]: 1 }));
    const text = `{"x":{"${one}":1},"y":{"${other}":2}}`;
    assert.deepEqual(reader(text), { x: { '\\\\u005': 1 }, y: { '\\u005c': 2 } });
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
