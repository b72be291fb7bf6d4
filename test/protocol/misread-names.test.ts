import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRefusal } from '../../src/base/index.ts';
import { membersOf, parseJson } from '../../src/protocol/index.ts';

// In a file, and so a process, of its own: V8 takes one escaped name for another after this sequence of texts, and goes on so.
const key = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('_meta', '__proto__', '"', '\\', 'a\\"b', 'constructor'),
);
const object = fc.dictionary(key, fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }), {
  noNullPrototype: true,
});
const indent = fc.constantFrom(undefined, 1, '\t', '\r\n');
const written = fc
  .record({ object, indent })
  .map(({ object, indent }) => JSON.stringify(object, null, indent));

test('what a call is decided by has the names that are written, whatever JSON.parse makes of them', () => {
  fc.assert(
    fc.property(written, (text) => {
      const value = parseJson(Buffer.from(text), 64);
      const members = membersOf(text);
      if (!isRefusal(value)) {
        const names = members.map(({ key }) => key);
        assert.deepEqual(Object.keys(value as object).sort(), names.sort());
      }
      for (const { valueStart, valueEnd } of members) JSON.parse(text.slice(valueStart, valueEnd));
    }),
    { seed: -269638331, numRuns: 300 },
  );
});
