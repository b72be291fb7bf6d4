import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compilePolicy, type Decision, type ToolFacts } from '../../src/policy/index.ts';
import type { JsonObject } from '../../src/protocol/index.ts';
import { admin, asking, call, perMinute, prompts, read, resources, rulesOf, write } from './fixtures.ts';

type Rules = Parameters<typeof rulesOf>;

const pay: ToolFacts = { name: 'pay' };

function policyWith(...rules: Rules) {
  return compilePolicy({
    server: 'bank',
    rules: rulesOf(...rules),
    resources: { scope: resources },
    prompts: { scope: prompts },
  });
}

/** `allow tools[1] other`, `scope_missing tools[0]`, `policy_undecided tools[0]`. */
function inWords(decision: Decision): string {
  if (decision.allow) return `allow ${decision.rule}${decision.confirm ? ` ${decision.confirm}` : ''}`;
  return `${decision.code} ${decision.rule}${decision.known ? '' : ' unknown'}`;
}

const decide = (rules: Rules, args: JsonObject, granted: readonly string[] = [admin]) =>
  inWords(policyWith(...rules).decide(call('pay', args), pay, asking(granted)));

describe('first match with conditions', () => {
  const rules: Rules = [
    { match: 'pay', when: 'args.amount > 100', confirm: 'other' },
    { match: 'pay', when: 'args.currency != "EUR"', scope: admin, limit: perMinute(1) },
    { match: '*', scope: write, limit: perMinute(60) },
  ];

  it('each attribute takes the first rule whose condition holds', () => {
    assert.equal(decide(rules, { amount: 1, currency: 'EUR' }), 'allow tools[2]');
    assert.equal(decide(rules, { amount: 101, currency: 'EUR' }), 'allow tools[2] other');
    assert.equal(decide(rules, { amount: 101, currency: 'USD' }), 'allow tools[1] other');
    assert.equal(decide(rules, { amount: 1, currency: 'USD' }, [write]), 'scope_missing tools[1]');
    const decision = policyWith(...rules).decide(
      call('pay', { amount: 1, currency: 'USD' }),
      pay,
      asking([admin]),
    );
    assert.deepEqual(decision.allow && decision.limit, perMinute(1));
  });

  it('attack: arguments that break a condition never reach the looser rule behind it', () => {
    for (const args of [
      {},
      { amount: '101' },
      { amount: [101] },
      { amount: null },
      { Amount: 101, amount: 1 },
    ])
      assert.equal(
        decide(rules, { currency: 'EUR', ...args }),
        'policy_undecided tools[0]',
        JSON.stringify(args),
      );
    assert.equal(decide(rules, { amount: 1 }), 'policy_undecided tools[1]');
    const denying: Rules = [
      { match: 'pay', when: 'args.to.startsWith("internal-")', scope: write },
      { match: 'pay', scope: admin },
    ];
    assert.equal(decide(denying, { to: ['internal-1'] }), 'policy_undecided tools[0]');
  });

  it('a condition that can give nothing more is not asked', () => {
    const first: Rules = [
      { match: 'pay', scope: write, confirm: 'self' },
      { match: 'pay', when: 'args.missing > 1', scope: admin },
    ];
    assert.equal(decide(first, {}), 'allow tools[0] self');
    assert.equal(
      decide(
        [
          { match: 'pay', scope: write },
          { when: 'args.missing > 1', limit: perMinute(1) },
        ],
        {},
      ),
      'policy_undecided tools[1]',
    );
  });

  it('arguments that no rule with a scope covers are refused, and the answer says that it is the arguments', () => {
    const small: Rules = [{ match: 'pay', when: 'args.amount <= 100', scope: write }];
    assert.equal(decide(small, { amount: 1 }), 'allow tools[0]');
    assert.equal(decide(small, { amount: 101 }), 'policy_denied tools');
  });

  it('the record says why in words that hold nothing of the caller', () => {
    const decision = policyWith(...rules).decide(call('pay', { amount: 'canary-77' }), pay, asking([admin]));
    assert.ok(!decision.allow);
    assert.equal(decision.detail, 'whether tools[0] applies cannot be said: a value has another type');
  });

  it('by caller, client, organization, hint and time', () => {
    const night: Rules = [
      { match: '*', when: 'now.getHours("Europe/Berlin") < 8', scope: admin },
      { match: '*', when: 'caller.client == "ci" && !tool.readOnly', scope: 'acme:ci' },
      { match: '*', when: 'tool.destructive', scope: write },
      { match: '*', scope: read },
    ];
    const policy = policyWith(...night);
    const rule = (facts: ToolFacts, more: Parameters<typeof asking>[1]) =>
      policy.decide(call(facts.name), facts, asking([admin, 'acme:ci'], more)).rule;
    const reads: ToolFacts = { name: 'get', readOnlyHint: true };
    assert.equal(rule(pay, { now: Date.UTC(2026, 6, 1, 5, 59) }), 'tools[0]');
    assert.equal(rule(pay, { now: Date.UTC(2026, 6, 1, 6, 0) }), 'tools[2]'); // summer time
    assert.equal(rule(pay, { now: Date.UTC(2026, 11, 1, 6, 59) }), 'tools[0]');
    assert.equal(rule(pay, { client: 'ci' }), 'tools[1]');
    assert.equal(rule(reads, { client: 'ci' }), 'tools[3]');
    assert.equal(rule(pay, {}), 'tools[2]');
  });
});

describe('what is listed before there are arguments', () => {
  const listing = (rules: Rules, granted: readonly string[], more: Parameters<typeof asking>[1] = {}) => {
    const { visibility, scopes } = policyWith(...rules).listing(pay, asking(granted, more));
    return `${visibility} ${scopes.join(' ')}`.trim();
  };
  const split: Rules = [
    { match: 'pay', when: 'args.amount <= 100', scope: write },
    { match: 'pay', scope: admin },
  ];

  it('a tool is open to who may call it with some arguments', () => {
    assert.equal(listing(split, [admin]), `open ${write}`);
    assert.equal(listing(split, [write]), `open ${write}`);
    assert.equal(listing(split, [read]), `locked ${write}`);
    assert.equal(listing([{ when: 'args.x == 1', scope: 'acme:x' }], [admin]), 'locked acme:x');
    assert.equal(
      listing([{ when: 'args.x == 1', scope: 'acme:x' }, { scope: write }], ['acme:x']),
      'open acme:x',
    );
  });

  it('what it must have of several scopes is the narrowest', () => {
    const upward: Rules = [{ when: 'args.amount > 100', scope: admin }, { scope: write }];
    assert.equal(listing(upward, []), `locked ${write}`);
    assert.equal(decide(upward, { amount: 101 }, [write]), 'scope_missing tools[0]');
  });

  it('what does not depend on arguments is decided for list and call alike', () => {
    const office: Rules = [
      { match: 'pay', when: 'now.getHours() < 8 || now.getHours() >= 18', show: 'hidden' },
      { match: 'pay', when: 'caller.organization != "acme"', show: 'hidden' },
      { match: 'pay', scope: write },
    ];
    assert.equal(listing(office, [write]), `open ${write}`);
    assert.equal(listing(office, [write], { now: Date.UTC(2026, 10, 25, 19) }), 'hidden');
    assert.equal(listing(office, [write], { organization: 'other' }), 'hidden');
    const policy = policyWith(...office);
    const hidden = policy.decide(call('pay'), pay, asking([write], { organization: 'other' }));
    assert.equal(inWords(hidden), 'unknown_tool tools[1] unknown');
  });

  it('a condition on the caller that is an error hides the tool, and its call answers as unknown', () => {
    const rules: Rules = [{ when: 'int(caller.subject) > 1', scope: write }, { scope: read }];
    assert.equal(listing(rules, [admin]), 'hidden');
    assert.equal(decide(rules, {}), 'policy_undecided tools[0] unknown');
    assert.equal(listing(rules, [admin], { subject: '7' }), `open ${write}`);
  });

  it('attack: arguments change nothing in the answer about a tool that is hidden', () => {
    const rules: Rules = [
      { match: 'pay', show: 'hidden' },
      { match: 'pay', when: 'args.amount > 100', scope: write },
      { match: 'pay', scope: write },
    ];
    const answers = [{}, { amount: 1 }, { amount: 1000 }, { amount: 'x' }].map((args) => decide(rules, args));
    assert.deepEqual(new Set(answers), new Set(['unknown_tool tools[0] unknown']));
  });
});

describe('list and call agree', () => {
  const condition = fc.constantFrom(
    null,
    'args.n > 1',
    'args.s == "x"',
    'caller.client == "claude"',
    'caller.client == "other"',
    'tool.destructive',
    'int(caller.subject) > 1',
    'now.getHours() == 8',
  );
  const rule = fc.record({
    match: fc.constantFrom('*', 'p*', 'other'),
    when: condition,
    scope: fc.constantFrom(null, read, write, admin, 'acme:x'),
    confirm: fc.constantFrom(null, 'self' as const),
    show: fc.constantFrom(null, 'open' as const, 'locked' as const, 'hidden' as const),
  });
  const args = fc.constantFrom<JsonObject[]>(
    {},
    { n: 1 },
    { n: 2, s: 'x' },
    { n: 'x', s: 1 },
    { n: 5, s: 'y' },
  );

  it('hidden is answered as unknown, whatever the arguments; open and locked never are', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 6 }),
        fc.subarray([read, write, admin, 'acme:x']),
        args,
        (partial, granted, sent) => {
          // what the configuration refuses
          const rules = partial.map((one) => (one.when?.includes('args') ? { ...one, show: null } : one));
          const policy = policyWith(...rules);
          const { visibility } = policy.listing(pay, asking(granted));
          const decision = policy.decide(call('pay', sent), pay, asking(granted));
          if (visibility === 'hidden') assert.ok(!decision.allow && !decision.known);
          else assert.ok(decision.allow || decision.known);
          if (visibility === 'locked') assert.ok(!decision.allow);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
