import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isRefusal } from '../../src/base/index.ts';
import { parseJson } from '../../src/protocol/index.ts';

const read = (text: string | Buffer, depth = 64) => parseJson(Buffer.from(text as string), depth);

describe('parseJson', () => {
  it('reads what JSON.parse reads, to the same value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const value = JSON.parse(text);
        const result = read(text);
        // fc.json never repeats a key; numbers beyond 2^53 are the one thing that is refused.
        if (isRefusal(result)) assert.match(result.message, /2\^53|too large/);
        else assert.deepEqual(result, value);
      }),
      { numRuns: 2000 },
    );
  });

  it('finds a repeated member wherever it stands and however it is escaped', () => {
    const key = fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' });
    const escaped = (text: string) =>
      [...text]
        .map((c) => (c.length === 1 ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : c))
        .join('');
    fc.assert(
      fc.property(key, fc.json(), fc.json(), fc.integer({ min: 0, max: 5 }), (name, a, b, depth) => {
        const plain = JSON.stringify(name);
        const object = `{${plain}: ${a}, "${escaped(name)}" \t:${b}}`;
        const text = '['.repeat(depth) + object + ']'.repeat(depth);
        assert.ok(isRefusal(read(text)), text);
      }),
      { numRuns: 500 },
    );
  });

  for (const [what, text] of Object.entries({
    'a repeated method': '{"method":"tools/list","method":"tools/call"}',
    'a repeated member in a nested object': '{"a":{"b":[{"c":1,"d":2,"c":3}]}}',
    'a repeated __proto__': '{"__proto__":1,"__proto__":2}',
    'a repeated empty name': '{"":1,"":2}',
    'an integer beyond 2^53': '{"id":12345678901234567890}',
    'a negative integer beyond 2^53': '[-9007199254740993]',
    'a number that overflows': '[1e400]',
    'half a surrogate pair': '["\\ud800"]',
    'half a surrogate pair in a name': '{"\\udc00":1}',
    'a byte order mark': '\ufeff{}',
    'no JSON': '{a:1}',
    nothing: '',
    'two values': '{} {}',
    'a comment': '{/**/}',
    'a trailing comma': '[1,]',
    NaN: '[NaN]',
    'single quotes': "{'a':1}",
  })) {
    it(`refuses ${what}`, () => {
      const result = read(text);
      assert.ok(isRefusal(result));
      assert.equal(result.code, 'malformed_json');
    });
  }

  it('refuses what is not UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      assert.ok(isRefusal(parseJson(Uint8Array.from(bytes), 64)));
    }
    assert.ok(isRefusal(parseJson(Buffer.from('{"a":1}', 'utf16le'), 64)));
  });

  it('bounds the depth exactly', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    assert.ok(!isRefusal(read(nested(64))));
    assert.ok(isRefusal(read(nested(65))));
    assert.ok(!isRefusal(read(`[${JSON.stringify('[{"\\'.repeat(100))}]`)), 'brackets in strings are none');
    const open = read('['.repeat(1_000_000)); // no JSON: that it is said to be deep shows that nobody parsed it
    assert.ok(isRefusal(open) && /nested deeper/.test(open.message), 'counted before it is parsed');
    assert.ok(isRefusal(read(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)));
  });

  it('takes the same name in different objects, and as a value', () => {
    const text = '{"a":{"a":"a"},"b":[{"a":1},{"a":2}],"c":"a","d":["a","a",":"]}';
    assert.deepEqual(read(text), JSON.parse(text));
  });

  it('takes the largest safe integer, and long decimals', () => {
    assert.deepEqual(
      read('[9007199254740991,-9007199254740991,0.1234567890123456,1e20]'),
      [9007199254740991, -9007199254740991, 0.1234567890123456, 1e20],
    );
  });
});
