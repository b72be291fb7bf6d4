import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ToolFacts, Visibility } from '../../src/policy/index.ts';
import { admin, call, policyOf, read, rulesOf, write } from './fixtures.ts';

const tool: ToolFacts = { name: 'delete_user' };

/** `show`, whether it stands beside the scope, and what callers see without and with the scope. */
const cases: [show: Visibility | null, beside: boolean, lacking: Visibility, holding: Visibility][] = [
  [null, true, 'locked', 'open'],
  ['open', true, 'open', 'open'],
  ['open', false, 'open', 'open'],
  ['locked', true, 'locked', 'open'],
  ['locked', false, 'locked', 'open'],
  ['hidden', true, 'hidden', 'open'],
  ['hidden', false, 'hidden', 'hidden'],
];

for (const [show, beside, lacking, holding] of cases) {
  test(`show: ${show}${beside ? '' : ' in a rule of its own'}: ${lacking} without the scope, ${holding} with it`, () => {
    const rules = beside
      ? rulesOf({ scope: admin, show })
      : rulesOf({ match: 'delete_*', show }, { scope: admin });
    const policy = policyOf(rules);
    assert.equal(policy.visibility(tool, [write]), lacking);
    assert.equal(policy.visibility(tool, [admin]), holding);
  });
}

test('a hidden tool answers as one that does not exist', () => {
  const everybody = policyOf(rulesOf({ match: 'delete_*', show: 'hidden' }, { scope: write }));
  const ungranted = policyOf(rulesOf({ scope: admin, show: 'hidden' }));
  const unknown = everybody.decide(call('no_such'), 'unknown', [admin]);
  const hidden = { ...unknown, rule: 'tools[0]' }; // for the record alone
  assert.deepEqual(everybody.decide(call('delete_user'), tool, [admin]), hidden);
  assert.deepEqual(ungranted.decide(call('delete_user'), tool, [write]), hidden);
  assert.equal(ungranted.decide(call('delete_user'), tool, [admin]).allow, true);
});

test('a shown tool is still refused without its scope', () => {
  for (const show of ['open', 'locked'] as const) {
    const decision = policyOf(rulesOf({ scope: write, show })).decide(call('delete_user'), tool, [read]);
    assert.ok(decision.allow === false && decision.code === 'scope_missing');
  }
});

test('list and call agree: hidden is never callable, callable is always open, locked asks for a scope', () => {
  const scope = fc.constantFrom(null, read, write, admin);
  const rule = fc.record({
    match: fc.constantFrom('*', 'delete_*', 'x'),
    hint: fc.constantFrom(null, 'readOnly' as const, 'destructive' as const),
    scope,
    show: fc.constantFrom(null, 'open' as const, 'locked' as const, 'hidden' as const),
  });
  const granted = fc.subarray([read, write, admin]);
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 6 }), fc.boolean(), granted, (partial, readOnlyHint, scopes) => {
      const policy = policyOf(rulesOf(...partial));
      const facts = { name: 'delete_user', readOnlyHint };
      const shown = policy.visibility(facts, scopes);
      const decision = policy.decide(call('delete_user'), facts, scopes);
      if (decision.allow) assert.equal(shown, 'open');
      else if (decision.code === 'scope_missing') assert.ok(shown === 'locked' || shown === 'open');
      else assert.equal(shown, 'hidden');
    }),
    { numRuns: 1000 },
  );
});
