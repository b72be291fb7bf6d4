import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileCondition, isConditionFault } from '../../src/policy/conditions/index.ts';
import { maxReading } from '../../src/policy/conditions/meter.ts';
import type { JsonObject } from '../../src/protocol/index.ts';

const tool = {
  name: 't',
  server: 's',
  readOnly: false,
  destructive: true,
  idempotent: false,
  openWorld: true,
};
const caller = { subject: 'a', issuer: 'i', client: 'c', organization: 'o' };
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const object = (count: number) => Object.fromEntries(numbers(count).map((index) => [`k${index}`, index]));
const letters = (count: number) => 'ab'.repeat(count / 2);

interface Bomb {
  readonly when: string;
  readonly args?: JsonObject;
  readonly scopes?: readonly string[];
}

/** What a caller would send who knows the rules. */
const bombs: Readonly<Record<string, Bomb>> = {
  'a list within itself': {
    when: 'args.l.all(x, args.l.all(y, x != y || true))',
    args: { l: numbers(5_000) },
  },
  'the same with an error for each pair': {
    when: 'args.l.exists(x, args.l.exists(y, x > "a"))',
    args: { l: numbers(100) },
  },
  'a long list': { when: 'args.l.all(x, x >= 0)', args: { l: numbers(500_000) } },
  'a list that grows by one': { when: 'args.l.map(x, x).size() > 0', args: { l: numbers(9_000) } },
  'map of map': {
    when: 'args.l.map(x, x).map(x, x).map(x, x).map(x, x).filter(x, true).size() > 0',
    args: { l: numbers(1_200) },
  },
  'members of an object': {
    when: 'args.o.all(k, args.o.all(j, k != j || true))',
    args: { o: object(3_000) },
  },
  'comparing large values': { when: 'args.l.all(x, args.l == args.l)', args: { l: [[[numbers(1_000)]]] } },
  'nested quantifiers of a pattern': {
    when: 'args.s.matches("^(a+)+$")',
    args: { s: `${'a'.repeat(1e6)}!` },
  },
  'a pattern with many states': {
    when: 'args.s.matches("(?:a?){300}a{300}$")',
    args: { s: 'a'.repeat(25) },
  },
  'the same, longer': { when: 'args.s.matches("(?:a?){300}a{300}$")', args: { s: 'a'.repeat(1e5) } },
  'a pattern that no automaton of small size has': {
    when: 'args.s.matches("(^|x)(a|b)*a(a|b){12}$|(a|b)*\\\\bq")',
    args: { s: letters(440) },
  },
  'a pattern on each element': {
    when: 'args.l.all(x, x.matches("((a|b)*a(a|b){20}){5}c") || true)',
    args: { l: numbers(1_000).map(() => letters(40)) },
  },
  'a long text for each element': {
    when: 'args.l.all(x, args.s.contains(string(x)) || true)',
    args: { l: numbers(1_000), s: letters(4_000) },
  },
  'texts that grow': {
    when: '[1,2,3,4,5,6,7,8,9].all(x, (args.s + args.s + args.s + args.s).size() > 0)',
    args: { s: letters(2_700) },
  },
  'scopes of a token': {
    when: 'caller.scopes.all(x, caller.scopes.all(y, x != y || true))',
    scopes: numbers(5_000).map(String),
  },
  'many members beside those that are read': {
    when: 'args.amount > 1',
    args: { ...object(200_000), amount: 2 },
  },
};

describe('the time of a condition is bounded, whatever the caller sends', () => {
  for (const [name, { when, args = {}, scopes = [] }] of Object.entries(bombs)) {
    it(name, () => {
      const condition = compileCondition(when);
      assert.ok(!isConditionFault(condition), JSON.stringify(condition));
      const circumstances = { tool, args, caller: { ...caller, scopes }, now: 0 };
      condition.evaluate({ ...circumstances, args: {} });
      const from = process.cpuUsage();
      condition.evaluate(circumstances);
      const { user, system } = process.cpuUsage(from);
      // Without bounds these take from seconds to for ever. Wide, for machines that are slow and busy.
      assert.ok(user + system < 1_000_000, `${(user + system) / 1000} ms`);
    });
  }

  it('and reading too much is an error, though the other side of || is true', () => {
    const condition = compileCondition('args.l.all(x, args.l.all(y, x == y)) || true');
    assert.ok(!isConditionFault(condition));
    const verdict = condition.evaluate({
      tool,
      args: { l: numbers(5_000) },
      caller: { ...caller, scopes: [] },
      now: 0,
    });
    assert.ok(typeof verdict === 'object' && verdict.reason === 'it reads too much');
  });

  it('what is not read costs nothing: a file of a megabyte beside its path', () => {
    const condition = compileCondition('args.path.startsWith("/tmp/") && size(args) == 2');
    assert.ok(!isConditionFault(condition));
    const args = { path: '/tmp/x', content: 'x'.repeat(4 * maxReading) };
    assert.equal(condition.evaluate({ tool, args, caller: { ...caller, scopes: [] }, now: 0 }), true);
  });
});
