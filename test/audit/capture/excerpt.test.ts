import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { excerptOf } from '../../../src/audit/capture/excerpt.ts';
import { compileFieldRules } from '../../../src/audit/capture/field-rules.ts';
import { shownText } from '../../../src/audit/values.ts';
import { isSecretName } from '../../../src/base/index.ts';
import type { FieldRule } from '../../../src/policy/index.ts';
import { type JsonObject, parseJsonPointer } from '../../../src/protocol/index.ts';

type Fields = Readonly<Record<string, FieldRule['how']>>;

function rules(fields: Fields) {
  return compileFieldRules(
    Object.entries(fields).map(([pointer, how]) => ({ path: parseJsonPointer(pointer) ?? [], how })),
  );
}

function redacted(args: unknown, fields: Fields, most = 10_000) {
  const excerpt = excerptOf(args as JsonObject, {
    rules: rules(fields),
    others: 'unnamed',
    hash: (value) => `hmac-sha256:k:${JSON.stringify(value)}`,
    shown: shownText,
    isSecret: isSecretName,
    most,
  });
  return { ...excerpt, kept: JSON.parse(excerpt.text) };
}

function encrypted(args: unknown, fields: Fields, most = 40_000) {
  const excerpt = excerptOf(args as JsonObject, {
    rules: rules(fields),
    others: 'keep',
    hash: () => 'hmac-sha256:k:x',
    shown: (text) => text,
    isSecret: () => false,
    most,
  });
  return { ...excerpt, kept: JSON.parse(excerpt.text) };
}

describe('redacted: what no rule names is not kept', () => {
  it('keeps, hashes, masks and drops by JSON pointer', () => {
    const args = { amount: 12.5, card: '4111111111111111', iban: 'DE89', note: 'private', 'a/b~c': 1 };
    const fields: Fields = {
      '/amount': 'keep',
      '/card': 'mask',
      '/iban': 'hash',
      '/note': 'drop',
      '/a~1b~0c': 'keep',
    };
    const { kept, redactions } = redacted(args, fields);
    assert.deepEqual(kept, { amount: 12.5, card: '…1111', iban: 'hmac-sha256:k:"DE89"', 'a/b~c': 1 });
    assert.equal(redactions, 3);
  });

  it('keeps nothing where nothing is named, not even names', () => {
    const { text, redactions } = redacted({ a: 1, SECRETNAME: { b: 2 } }, {});
    assert.equal(text, '{}');
    assert.equal(redactions, 1);
  });

  it('goes into lists and members by *, and keeps places', () => {
    const args = { items: [{ id: 1, pin: 9 }, 'x', { id: 2 }], other: [1, 2, 3] };
    assert.deepEqual(redacted(args, { '/items/*/id': 'keep', '/other/1': 'keep' }).kept, {
      items: [{ id: 1 }, null, { id: 2 }],
      other: [null, 2, null],
    });
  });

  it('lets the longest path speak, and of those the strictest', () => {
    const args = { user: { name: 'anna', password_hint: 'dog', tag: 'x' }, users: [{ a: 1, b: 2 }] };
    const fields: Fields = {
      '/user': 'keep',
      '/user/password_hint': 'drop',
      '/users/0': 'keep',
      '/users/*/b': 'drop',
      '/*/tag': 'drop',
    };
    assert.deepEqual(redacted(args, fields).kept, { user: { name: 'anna' }, users: [{ a: 1 }] });
  });

  it('ends at a field that is dropped, whatever another rule names inside', () => {
    assert.deepEqual(redacted({ a: { x: 1 }, b: { x: 2 } }, { '/a': 'drop', '/*/x': 'keep' }).kept, {
      b: { x: 2 },
    });
  });

  it('masks nothing that four characters would give away', () => {
    for (const value of ['12345678901', 12345, true, null, ['4111111111111111'], { a: 1 }])
      assert.deepEqual(redacted({ value }, { '/value': 'mask' }).kept, { value: '[masked]' });
  });

  it('removes what looks like a credential, and what is named like one', () => {
    const token = `eyJ${'a'.repeat(40)}`;
    const args = {
      note: `use ${token}`,
      all: { password: 'hunter2', secret: 12345, apikey: { deep: 1 }, url: 'https://a:b@c' },
    };
    const { kept, text } = redacted(args, { '': 'keep' });
    assert.deepEqual(kept, {
      note: 'use [jwt]',
      all: {
        password: '[redacted]',
        secret: '[redacted]',
        apikey: '[redacted]',
        url: 'https://[redacted]@c',
      },
    });
    assert.ok(!/hunter2|12345|a:b/.test(text));
  });
});

describe('attacks on field rules', () => {
  it('a name that looks like another is another', () => {
    const args = {
      аmount: 'cyrillic',
      'amount\u200b': 'zero width',
      AMOUNT: 'case',
      'amo\u0075\u0308nt': 'combining',
    };
    assert.equal(redacted(args, { '/amount': 'keep', '/amoünt': 'keep' }).text, '{}');
  });

  it('a name with a pointer in it is one name', () => {
    assert.equal(redacted({ '/a/b': 1, 'a/b': 2, '~1a': 3 }, { '/a/b': 'keep' }).text, '{}');
    assert.equal(redacted({ '*': 1 }, { '/a': 'keep' }).text, '{}');
    assert.equal(
      redacted({ list: { '00': 1, '-1': 2 }, l: [1] }, { '/list/0': 'keep', '/l/00': 'keep' }).text,
      '{"list":{},"l":[null]}',
    );
  });

  it('__proto__ and constructor are names, and reach nothing else', () => {
    const args = JSON.parse('{"__proto__":{"amount":1},"constructor":{"prototype":{"x":1}},"toString":"t"}');
    assert.equal(redacted(args, { '/amount': 'keep', '/x': 'keep' }).text, '{}');
    assert.equal(redacted(args, { '/__proto__/amount': 'keep' }).text, '{"__proto__":{"amount":1}}');
    assert.equal(
      encrypted(args, { '/__proto__': 'drop' }).text,
      '{"constructor":{"prototype":{"x":1}},"toString":"t"}',
    );
    assert.equal(({} as Record<string, unknown>)['amount'], undefined);
  });

  it('depth, number and size are bounded, and it says so', () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 500; level++) deep = { a: deep };
    const wide = Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`k${at}`, 'v'.repeat(20)]));
    const long = { text: 'x'.repeat(100_000), list: Array.from({ length: 100_000 }, (_, at) => at) };
    for (const args of [{ deep }, { wide }, { long }, { deep, wide, long }]) {
      for (const { text, cut } of [redacted(args, { '': 'keep' }), encrypted(args, {})]) {
        assert.ok(text.length < 47_000, String(text.length));
        JSON.parse(text);
        if (!('deep' in args) || 'wide' in args) assert.ok(cut && text.includes('…'));
      }
      assert.ok(redacted(args, { '': 'keep' }).text.length < 16_384);
    }
  });

  it('a long field does not push the others out', () => {
    const args = { junk: 'x'.repeat(1_000_000), more: Array.from({ length: 10_000 }, () => 'y'), amount: 7 };
    assert.equal(redacted(args, { '': 'keep' }).kept.amount, 7);
    assert.equal(encrypted(args, {}).kept.amount, 7);
  });

  it('two names that are neutral alike are not one member twice', () => {
    const { text } = redacted({ 'a\u202e': 1, 'a\\u202e': 2 }, { '': 'keep' });
    assert.equal(text, '{"a\\\\u202e":1}');
  });

  it('nothing kept can forge a line or drive a terminal', () => {
    const { text } = redacted({ note: '\u001b[2J\n\u202e\u2028\u{e0041}' }, { '/note': 'keep' });
    assert.match(text, /^[ -~]*$/);
    JSON.parse(text);
  });
});

describe('encrypted: all is kept but what a rule names', () => {
  it('takes out what is named, wherever a list or a map holds it', () => {
    const args = {
      users: { a: { password: 'x', n: 1 } },
      list: [{ password: 'y' }],
      password: 'eyJaaaaaaaaa',
    };
    assert.deepEqual(encrypted(args, { '/*/*/password': 'drop' }).kept, {
      users: { a: { n: 1 } },
      list: [{}],
      password: 'eyJaaaaaaaaa',
    });
  });
});
