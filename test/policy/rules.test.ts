import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ToolFacts } from '../../src/policy/index.ts';
import { compileRules, isDestructive, isReadOnly, resolve, rulesMatching } from '../../src/policy/rule.ts';
import { admin, call, perMinute, policyOf, read, rulesOf, write } from './fixtures.ts';

/** The `tools:` of design/portcullis.example.yaml, without `when`. */
const example = rulesOf(
  { match: 'delete_*', scope: admin, limit: perMinute(60), confirm: 'other' },
  { match: 'send_*', scope: write, limit: perMinute(60), confirm: 'self', show: 'locked' },
  { match: 'list_*', scope: read, limit: perMinute(600) },
  { match: 'pay', confirm: 'other' },
  { match: '*', hint: 'readOnly', scope: read },
  { match: '*', scope: write },
);

test('each attribute takes the first rule that matches and has it, and names it', () => {
  const policy = policyOf(example);
  assert.deepEqual(policy.explain({ name: 'pay' }), {
    scope: { value: write, rule: 'tools[5]' },
    limit: null,
    confirm: { value: 'other', rule: 'tools[3]' },
    show: null,
  });
  assert.deepEqual(policy.explain({ name: 'send_mail' }), {
    scope: { value: write, rule: 'tools[1]' },
    limit: { value: perMinute(60), rule: 'tools[1]' },
    confirm: { value: 'self', rule: 'tools[1]' },
    show: { value: 'locked', rule: 'tools[1]' },
  });
});

test('an earlier rule wins, also over one that is stricter', () => {
  const rules = rulesOf(
    { match: 'a*', scope: read },
    { match: 'ab', scope: admin },
    { match: 'ab', scope: write },
  );
  assert.equal(policyOf(rules).explain({ name: 'ab' }).scope?.rule, 'tools[0]');
});

test('rules of another server do not count; the names of the others stay', () => {
  const rules = rulesOf(
    { match: '*', server: 'tickets', scope: read },
    { match: '*', server: 'notes', scope: admin },
    { match: '*', scope: write },
  );
  assert.deepEqual(policyOf(rules, 'notes').explain({ name: 'x' }).scope, { value: admin, rule: 'tools[1]' });
  assert.deepEqual(policyOf(rules, 'tickets').explain({ name: 'x' }).scope, {
    value: read,
    rule: 'tools[0]',
  });
  assert.deepEqual(policyOf(rules, 'other').explain({ name: 'x' }).scope, { value: write, rule: 'tools[2]' });
});

/** readOnlyHint, destructiveHint, and what they come to. */
const hints: [boolean | undefined, boolean | undefined, 'readOnly' | 'destructive' | 'neither'][] = [
  [true, undefined, 'readOnly'],
  [true, false, 'readOnly'],
  [true, true, 'destructive'], // contradicts itself: the worse is believed
  [false, undefined, 'destructive'],
  [false, true, 'destructive'],
  [false, false, 'neither'],
  [undefined, undefined, 'destructive'], // the schema's defaults
  [undefined, true, 'destructive'],
  [undefined, false, 'neither'],
];

for (const [readOnlyHint, destructiveHint, meaning] of hints) {
  test(`readOnlyHint ${readOnlyHint} and destructiveHint ${destructiveHint}: ${meaning}`, () => {
    const tool: ToolFacts = {
      name: 'x',
      ...(readOnlyHint === undefined ? {} : { readOnlyHint }),
      ...(destructiveHint === undefined ? {} : { destructiveHint }),
    };
    assert.equal(isReadOnly(tool), meaning === 'readOnly');
    assert.equal(isDestructive(tool), meaning === 'destructive');
    const rules = rulesOf(
      { hint: 'readOnly', scope: read },
      { hint: 'destructive', scope: admin },
      { scope: write },
    );
    const expected = { readOnly: read, destructive: admin, neither: write }[meaning];
    assert.equal(policyOf(rules).explain(tool).scope?.value, expected);
  });
}

test('attack: hints that are no booleans are no claims', () => {
  const tool = { name: 'x', readOnlyHint: 'true', destructiveHint: 0 } as unknown as ToolFacts;
  assert.equal(isReadOnly(tool), false);
  assert.equal(isDestructive(tool), true);
});

test('agrees with reading the file line by line', () => {
  const rule = fc.record({
    match: fc.constantFrom('*', 'a*', '*b', 'ab', '?b', 'c'),
    server: fc.constantFrom(null, 'notes', 'tickets'),
    hint: fc.constantFrom(null, 'readOnly' as const, 'destructive' as const),
    scope: fc.constantFrom(null, read, write, admin),
    confirm: fc.constantFrom(null, 'self' as const, 'other' as const),
  });
  const tool = fc.record(
    { name: fc.constantFrom('ab', 'a', 'b', 'c'), readOnlyHint: fc.boolean(), destructiveHint: fc.boolean() },
    { requiredKeys: ['name'] },
  );
  const globs: Record<string, string[]> = {
    '*': ['ab', 'a', 'b', 'c'],
    'a*': ['ab', 'a'],
    '*b': ['ab', 'b'],
  };
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), tool, (partial, facts) => {
      const rules = rulesOf(...partial);
      const found = resolve(rulesMatching(compileRules('notes', rules), facts), () => true).rules;
      const matching = rules.filter((each) => {
        const names = globs[each.match] ?? (each.match === '?b' ? ['ab'] : [each.match]);
        const hint =
          each.hint === null || (each.hint === 'readOnly' ? isReadOnly(facts) : isDestructive(facts));
        return names.includes(facts.name) && each.server !== 'tickets' && hint;
      });
      const scope = matching.find((each) => each.scope !== null);
      const confirm = matching.find((each) => each.confirm !== null);
      assert.deepEqual(found.scope, scope ? { value: scope.scope, rule: scope.source } : null);
      assert.deepEqual(found.confirm, confirm ? { value: confirm.confirm, rule: confirm.source } : null);
    }),
    { numRuns: 1000 },
  );
});

test('a thousand rules are read once for a tool, not for each call', () => {
  let reads = 0;
  const counting = rulesOf(...Array.from({ length: 1000 }, (_, index) => ({ match: `tool_${index}_*` })));
  counting.push(...rulesOf({ scope: write, source: 'tools[1000]' }));
  const tool: ToolFacts = Object.defineProperty({ name: '' }, 'name', {
    get() {
      reads++;
      return 'tool_999_x';
    },
  });
  const policy = policyOf(counting);
  policy.decide(call('tool_999_x'), tool, [write]);
  const atFirst = reads;
  assert.ok(atFirst > 1000);
  assert.equal(policy.decide(call('tool_999_x'), tool, [write]).allow, true);
  assert.equal(policy.decide(call('tool_999_x'), tool, [read]).allow, false);
  assert.ok(reads - atFirst <= 4, `${reads - atFirst} reads for two calls`);
});
