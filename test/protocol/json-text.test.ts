import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readJson } from '../../src/base/index.ts';
import { editMeta, editObject, membersOf, rawMember, singleLine } from '../../src/protocol/index.ts';

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
// JSON.parse alone is no measure: V8 can misread names that have escapes (src/base/json.ts).

test('members are read as they were written', () => {
  fc.assert(
    fc.property(written, (text) => {
      const parsed = readJson(text) as Record<string, unknown>;
      const members = membersOf(text);
      assert.deepEqual(
        members.map((member) => member.key),
        Object.keys(parsed).sort((a, b) => indexIn(members, a) - indexIn(members, b)),
      );
      for (const { key, valueStart, valueEnd } of members) {
        assert.deepEqual(
          readJson(text.slice(valueStart, valueEnd)),
          Object.getOwnPropertyDescriptor(parsed, key)?.value,
        );
      }
    }),
  );
});

const indexIn = (members: readonly { key: string }[], key: string) =>
  members.findIndex((member) => member.key === key);

test('an edit changes what it names and nothing else', () => {
  fc.assert(
    fc.property(written, key, key, (text, set, removed) => {
      const edited = editObject(text, { set: [[set, '1.50']], remove: (name) => name === removed });
      assert.equal(rawMember(edited, set), '1.50');
      if (removed !== set) assert.equal(rawMember(edited, removed), null);
      for (const { key: name, valueStart, valueEnd } of membersOf(text)) {
        if (name !== set && name !== removed)
          assert.equal(rawMember(edited, name), text.slice(valueStart, valueEnd));
      }
      JSON.parse(edited);
    }),
  );
});

test('_meta is made, edited and dropped as needed', () => {
  const set = [['t', '7']] as const;
  assert.equal(editMeta('{}', { set }), '{"_meta":{"t":7}}');
  assert.equal(editMeta('{"a":1e400,"_meta":{"t":1,"u":2}}', { set }), '{"a":1e400,"_meta":{"u":2,"t":7}}');
  assert.equal(editMeta('{"_meta":null}', { set }), '{"_meta":{"t":7}}');
  const remove = (name: string) => name === 't';
  assert.equal(editMeta('{"_meta":{"t":1},"a":1}', { remove }), '{"a":1}');
  assert.equal(editMeta('{ "_meta" : {"u":1} }', { remove }), '{ "_meta" : {"u":1} }');
  assert.equal(editMeta('{}', { remove }), '{}');
});

test('of duplicate keys the last one counts, and all are replaced', () => {
  assert.equal(rawMember('{"a":1,"\\u0061":2}', 'a'), '2');
  assert.equal(editObject('{"a":1,"\\u0061":2,"b":3}', { set: [['a', '4']] }), '{"b":3,"a":4}');
});

test('a line holds no character at which a reader may break it, and means the same', () => {
  fc.assert(
    fc.property(written, (text) => {
      const line = singleLine(text);
      assert.doesNotMatch(line, /[\r\n\u0085\u2028\u2029]/);
      assert.deepEqual(readJson(line), readJson(text));
    }),
  );
});

test('text that is made to be slow is read in linear time', () => {
  const deep = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)},"b":"${'\\\\'.repeat(200_000)}\\""}`;
  assert.equal(membersOf(deep).length, 2);
});
