import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ToolRuleConfig } from '../../src/config/index.ts';
import { compilePolicy, type ToolCapture, type ToolFacts } from '../../src/policy/index.ts';
import type { JsonObject } from '../../src/protocol/index.ts';
import { asking, rulesOf } from './fixtures.ts';

const as = (level: ToolCapture['as']): ToolCapture => ({ as: level, fields: [] });
const pay: ToolFacts = { name: 'pay', readOnlyHint: true };

function policyWith(...rules: Partial<ToolRuleConfig>[]) {
  const scopes = { resources: { scope: 'r' }, prompts: { scope: 'p' } };
  const policy = compilePolicy({ server: 'notes', rules: rulesOf(...rules), ...scopes });
  const capture = (args: JsonObject, facts: ToolFacts | null | 'unknown' = pay) =>
    policy.capture({ kind: 'tool', name: 'pay', arguments: args }, facts, asking([])).as;
  return { capture, least: () => policy.leastCapture('pay').as };
}

describe('what a record keeps, by the rules', () => {
  it('is what the first rule says that applies; a hash where none does', () => {
    const { capture } = policyWith(
      { match: 'pay', when: 'args.amount > 100.0', capture: as('encrypted') },
      { match: 'p*', capture: as('redacted') },
    );
    assert.equal(capture({ amount: 500.5 }), 'encrypted');
    assert.equal(capture({ amount: 5.5 }), 'redacted');
    assert.equal(policyWith({ match: 'other', capture: as('none') }).capture({}), 'hash');
  });

  it('is no more than a hash for whoever makes a condition undecidable, and nothing where a later rule keeps none', () => {
    const undecided = { match: 'pay', when: 'args.amount > 100.0', capture: as('encrypted') } as const;
    assert.equal(
      policyWith(undecided, { match: 'pay', capture: as('redacted') }).capture({ amount: 'x' }),
      'hash',
    );
    assert.equal(policyWith(undecided, { match: '*', capture: as('none') }).capture({ amount: 'x' }), 'none');
  });

  it('goes by the name alone while hints cannot be had, and only where it is beyond doubt', () => {
    const hinted = { match: 'pay', hint: 'readOnly', capture: as('none') } as const;
    const named = { match: 'pay', capture: as('encrypted') } as const;
    assert.equal(policyWith(named).capture({}, null), 'encrypted');
    assert.equal(policyWith(hinted, named).capture({}, null), 'none');
    assert.equal(policyWith(named, hinted).capture({}, 'unknown'), 'hash');
  });

  it('is for strangers a hash, or nothing where a rule that may be meant keeps none', () => {
    const named = { match: 'pay', capture: as('encrypted') } as const;
    assert.equal(policyWith(named, { match: '*', capture: as('none') }).least(), 'hash');
    assert.equal(policyWith({ match: '*', hint: 'destructive', capture: as('none') }, named).least(), 'none');
  });
});
