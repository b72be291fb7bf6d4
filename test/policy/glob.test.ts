import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob } from '../../src/policy/glob.ts';

/** The definition, written down without regard to cost. */
function reference(pattern: readonly string[], text: readonly string[]): boolean {
  const [symbol, ...restOfPattern] = pattern;
  const [character, ...restOfText] = text;
  if (symbol === undefined) return character === undefined;
  if (symbol === '*') {
    return reference(restOfPattern, text) || (character !== undefined && reference(pattern, restOfText));
  }
  return (
    character !== undefined &&
    (symbol === '?' || symbol === character) &&
    reference(restOfPattern, restOfText)
  );
}

const examples: [pattern: string, text: string, matches: boolean][] = [
  ['*', '', true],
  ['**', 'anything', true],
  ['', '', true],
  ['', 'a', false],
  ['delete_*', 'delete_user', true],
  ['delete_*', 'delete_', true],
  ['delete_*', 'delete', false],
  ['delete_*', 'Delete_user', false],
  ['delete_*', ' delete_user', false],
  ['*_admin', 'add_admin', true],
  ['*_admin', 'add_admin_', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['a?c', 'a\u{1f600}c', true],
  ['?', '', false],
  ['?*', 'x', true],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
  ['(a+)+$', '(a+)+$', true],
  ['a\\*', 'a\\b', true],
  ['pay', 'pay', true],
  ['pay', 'payment', false],
  ['pay', 'repay', false],
  ['a*b*c', 'a1b2c', true],
  ['a*b*c', 'acb', false],
  ['delete_*', 'delete_\n', true],
];

for (const [pattern, text, matches] of examples) {
  test(`${JSON.stringify(pattern)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
    assert.equal(compileGlob(pattern).matches(text), matches);
  });
}

test('agrees with the definition on short strings', () => {
  const symbols = (from: string[]) => fc.array(fc.constantFrom(...from), { maxLength: 9 });
  fc.assert(
    fc.property(
      symbols(['a', 'b', '*', '?', '\u{1f600}']),
      symbols(['a', 'b', '\u{1f600}', '*']),
      (pattern, text) => {
        assert.equal(compileGlob(pattern.join('')).matches(text.join('')), reference(pattern, text));
      },
    ),
    { numRuns: 3000 },
  );
});

test('agrees with a regular expression on patterns longer than a machine word', () => {
  const symbol = fc.constantFrom('a', 'b', 'c', '?', '*');
  const long = fc.array(symbol, { minLength: 25, maxLength: 140 });
  fc.assert(
    fc.property(
      long,
      fc.infiniteStream(fc.constantFrom('a', 'b', 'c')),
      fc.boolean(),
      (pattern, letters, spoil) => {
        let stars = 0;
        const kept = pattern.filter((each) => each !== '*' || stars++ < 2); // the oracle backtracks, we do not
        const next = () => letters.next().value as string;
        const text = kept.map((each) => (each === '?' ? next() : each === '*' ? next() + next() : each));
        if (spoil) text[text.length >> 1] = 'x';
        const oracle = new RegExp(`^${kept.join('').replaceAll('*', '[^]*').replaceAll('?', '[^]')}$`, 'u');
        assert.equal(compileGlob(kept.join('')).matches(text.join('')), oracle.test(text.join('')));
      },
    ),
    { numRuns: 500 },
  );
});

test('exactly 31, 32, 33, 63, 64 and 65 characters cross the word boundaries', () => {
  for (const length of [31, 32, 33, 63, 64, 65, 96]) {
    const text = 'abcdefghij'.repeat(10).slice(0, length);
    for (const pattern of [`${text}*`, `*${text}`, `?${text.slice(1)}*`]) {
      assert.equal(compileGlob(pattern).matches(text), true, `${pattern} at ${length}`);
      assert.equal(
        compileGlob(pattern).matches(text.slice(0, -1)),
        false,
        `${pattern} at ${length}, one short`,
      );
    }
  }
});

test('attack: a name made to backtrack costs no more steps than it has characters', () => {
  const name = 'a'.repeat(100_000);
  for (const pattern of [
    '*a*a*a*a*a*a*a*a*b',
    '*aaaaaaaaaaaaaaaab',
    'a?*?a*?a*?*b',
    `${'*a'.repeat(15)}*b`,
  ]) {
    const counter = { steps: 0 };
    assert.equal(compileGlob(pattern).matches(name, counter), false);
    assert.ok(counter.steps <= name.length, `${pattern}: ${counter.steps} steps`);
  }
  const long = `*${'a'.repeat(100)}b`; // 101 characters and the accepting state: four words
  const counter = { steps: 0 };
  assert.equal(compileGlob(long).matches(name, counter), false);
  assert.ok(counter.steps <= 4 * name.length, `${counter.steps} steps`);
});

test('stops at the first character that cannot belong', () => {
  const counter = { steps: 0 };
  assert.equal(compileGlob('delete_*').matches('x'.repeat(100_000), counter), false);
  assert.equal(counter.steps, 1);
});
