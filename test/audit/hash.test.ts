import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { argumentsHash } from '../../src/audit/index.ts';
import type { JsonObject } from '../../src/protocol/index.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('the hash is SHA-256 over RFC 8785, for flat and nested arguments', () => {
  assert.equal(argumentsHash({}), `sha256:${sha256('{}')}`);
  assert.equal(
    argumentsHash({ b: 1e21, a: -0, ö: 'x\n' }),
    `sha256:${sha256('{"a":0,"b":1e+21,"ö":"x\\n"}')}`,
  );
  assert.equal(
    argumentsHash({ b: [1, { d: null, c: true }], a: '€' }),
    `sha256:${sha256('{"a":"€","b":[1,{"c":true,"d":null}]}')}`,
  );
});

test('the quick way and the library give the same text for all JSON', () => {
  const object = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue() as fc.Arbitrary<never>, {
    maxKeys: 20,
  });
  fc.assert(
    fc.property(object, (value) => {
      const parsed = JSON.parse(JSON.stringify(value)) as JsonObject;
      assert.equal(argumentsHash(parsed), `sha256:${sha256(canonicalize(parsed) ?? '')}`);
    }),
  );
});

test('the order of keys does not matter, any value does', () => {
  assert.equal(argumentsHash({ a: 1, b: 2 }), argumentsHash({ b: 2, a: 1 }));
  assert.notEqual(argumentsHash({ a: 1 }), argumentsHash({ a: '1' }));
  const own = JSON.parse('{"__proto__":1}') as JsonObject;
  assert.notEqual(argumentsHash(own), argumentsHash({}));
});

test('arguments without a canonical form give a marked hash, and nothing that JSON.parse gives throws', () => {
  for (const text of ['{"a":"\\ud800"}', '{"\\udc00":1}', '{"a":{"b":["\\ud800"]}}']) {
    const value = JSON.parse(text) as JsonObject;
    assert.match(argumentsHash(value), /^sha256-raw:[0-9a-f]{64}$/);
    assert.equal(argumentsHash(value), argumentsHash(JSON.parse(text) as JsonObject));
  }
  assert.notEqual(argumentsHash({ a: '\ud800' }), argumentsHash({ a: '\ud801' }));
  const deep = JSON.parse(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`) as JsonObject;
  assert.match(argumentsHash(deep), /^(sha256:[0-9a-f]{64}|unhashable)$/);
  assert.match(argumentsHash(JSON.parse('{"toJSON":1,"constructor":{"a":2}}') as JsonObject), /^sha256:/);
});
