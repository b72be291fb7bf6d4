import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePolicy, type Operation, satisfies, type ToolFacts } from '../../src/policy/index.ts';
import {
  admin,
  byScopes,
  call,
  perMinute,
  policyOf,
  prompts,
  read,
  resources,
  rulesOf,
  write,
} from './fixtures.ts';

const builtIn = policyOf(null);
const everything = [admin, resources, prompts];

test('without a policy file, what claims to read only needs read, the rest write', () => {
  const reads: ToolFacts = { name: 'get', readOnlyHint: true };
  const writes: ToolFacts = { name: 'put' };
  assert.deepEqual(builtIn.decide(call('get'), reads, [read]), {
    allow: true,
    rule: 'default[0]',
    scopes: [read],
    confirm: null,
    limit: null,
    destructive: false,
  });
  assert.deepEqual(builtIn.decide(call('put'), writes, [read]), {
    allow: false,
    rule: 'default[1]',
    code: 'scope_missing',
    known: true,
    scopes: [read, write],
    required: [write],
  });
  assert.equal(builtIn.decide(call('put'), writes, [write]).allow, true);
  assert.equal(builtIn.decide(call('get'), { ...reads, destructiveHint: true }, [read]).allow, false);
});

test('the decision carries what the rules ask beyond the scope', () => {
  const policy = policyOf(
    rulesOf({ match: 'delete_*', limit: perMinute(60), confirm: 'other' }, { scope: write }),
  );
  assert.deepEqual(policy.decide(call('delete_x'), { name: 'delete_x', destructiveHint: true }, [admin]), {
    allow: true,
    rule: 'tools[1]',
    scopes: [write],
    confirm: 'other',
    limit: perMinute(60),
    destructive: true,
  });
});

test('a tool that no rule with a scope names is denied to everybody, and not shown', () => {
  const policy = policyOf(
    rulesOf({ match: 'list_*', scope: read }, { match: '*', limit: perMinute(1), show: 'open' }),
  );
  const added: ToolFacts = { name: 'new_tool', readOnlyHint: true };
  assert.deepEqual(policy.decide(call('new_tool'), added, everything), {
    allow: false,
    rule: 'tools',
    code: 'policy_denied',
    known: false,
    scopes: [],
    required: [],
  });
  assert.equal(policy.visibility(added, everything), 'hidden');
});

test('an empty policy file allows no tool', () => {
  const policy = policyOf([]);
  for (const facts of [null, { name: 'x' }, { name: 'x', readOnlyHint: true }]) {
    assert.equal(policy.decide(call('x'), facts, everything).allow, false);
  }
});

test('a tool that is not on the list is unknown, whatever the rules and scopes', () => {
  const decision = builtIn.decide(call('no_such'), 'unknown', everything);
  assert.equal(decision.allow === false && decision.code, 'unknown_tool');
  const unprivileged = builtIn.decide(call('no_such'), 'unknown', []);
  assert.deepEqual(unprivileged, decision); // no 403 that tells what exists
});

test('without a list, every tool counts as unannotated', () => {
  const denied = builtIn.decide(call('get'), null, [read]);
  assert.equal(denied.allow === false && denied.code, 'scope_missing');
  const allowed = builtIn.decide(call('get'), null, [write]);
  assert.equal(allowed.allow && allowed.destructive, true);
});

test('attack: facts of a harmless tool do not open another one', () => {
  const decision = builtIn.decide(call('delete_all'), { name: 'list', readOnlyHint: true }, [read]);
  assert.equal(decision.allow, false);
});

test('attack: without a list, a name as large as a body is not matched against the rules', () => {
  const decision = builtIn.decide(call('a'.repeat(257)), null, everything);
  assert.equal(decision.allow === false && decision.code, 'unknown_tool');
  assert.equal(builtIn.decide(call('a'.repeat(256)), null, everything).allow, true);
});

test('attack: names of Object.prototype are names like any other', () => {
  const policy = policyOf(rulesOf({ match: 'list_*', scope: read }));
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    for (const facts of [null, { name }]) {
      assert.equal(policy.decide(call(name), facts, [name, ...everything]).allow, false, name);
    }
  }
});

const listen = (tools: boolean, ofResources: boolean, ofPrompts: boolean): Operation => ({
  kind: 'listen',
  tools,
  resources: ofResources,
  prompts: ofPrompts,
});

const operations: [Operation, required: string[]][] = [
  [{ kind: 'tools' }, [read]],
  [{ kind: 'task' }, [read]],
  [{ kind: 'session' }, []],
  [{ kind: 'resource', uri: 'file:///etc/passwd' }, [resources]],
  [{ kind: 'resources' }, [resources]],
  [{ kind: 'prompt', name: 'p' }, [prompts]],
  [{ kind: 'prompts' }, [prompts]],
  [{ kind: 'completion', of: 'prompt' }, [prompts]],
  [{ kind: 'completion', of: 'resource' }, [resources]],
  [listen(false, false, false), []],
  [listen(true, false, false), [read]],
  [listen(false, true, false), [resources]],
  [listen(false, false, true), [prompts]],
  [listen(true, true, false), [read, resources]],
  [listen(true, false, true), [read, prompts]],
  [listen(false, true, true), [resources, prompts]],
  [listen(true, true, true), [read, resources, prompts]],
];

for (const [operation, required] of operations) {
  test(`${JSON.stringify(operation)} needs ${required.join(' ') || 'no scope'}`, () => {
    const all = [read, resources, prompts];
    const allowed = builtIn.decide(operation, null, required);
    assert.equal(allowed.allow, true);
    assert.deepEqual(allowed.scopes, required);
    for (const lacking of required) {
      const granted = all.filter((scope) => scope !== lacking);
      const decision = builtIn.decide(operation, null, granted);
      assert.ok(decision.allow === false && decision.code === 'scope_missing');
      assert.deepEqual(decision.required, required);
      assert.ok(decision.scopes.includes(lacking));
      for (const scope of granted) assert.ok(decision.scopes.includes(scope));
    }
  });
}

test('several missing scopes are asked for in one challenge', () => {
  const decision = builtIn.decide(listen(true, true, true), null, []);
  assert.deepEqual(decision.scopes, [read, resources, prompts]);
});

test('an unknown method is denied to everybody', () => {
  const decision = builtIn.decide({ kind: 'unknown', method: 'tools/Call' }, null, everything);
  assert.equal(decision.allow === false && decision.code, 'unknown_method');
});

test('attack: an operation of no known kind is denied', () => {
  const operation = { kind: 'later', tools: true } as unknown as Operation;
  assert.equal(builtIn.decide(operation, null, everything).allow, false);
});

test('resources and prompts take the scopes of the configuration', () => {
  const policy = byScopes(
    compilePolicy({
      server: 'notes',
      rules: null,
      resources: { scope: 'acme:files' },
      prompts: { scope: read },
    }),
  );
  assert.equal(policy.decide({ kind: 'resources' }, null, [resources]).allow, false);
  assert.equal(policy.decide({ kind: 'resources' }, null, ['acme:files']).allow, true);
  assert.equal(policy.decide({ kind: 'prompts' }, null, [write]).allow, true);
  const denied = policy.decide(call('x'), { name: 'x' }, ['acme:files', 'acme:other']);
  assert.deepEqual(denied.scopes, ['acme:files', write]);
});

test('scopes() names all that can be asked for, baseline() what reads', () => {
  const policy = policyOf(
    rulesOf(
      { match: 'z', scope: 'acme:z' },
      { match: 'a', scope: admin },
      { match: 'b', scope: 'acme:b', server: 'tickets' },
    ),
  );
  assert.deepEqual(policy.scopes(), [read, admin, resources, prompts, 'acme:z']);
  assert.deepEqual(policy.baseline(), [read, resources, prompts]);
  assert.deepEqual(builtIn.scopes(), [read, write, resources, prompts]);
});

test('a broad or custom scope on resources is not asked for at first', () => {
  const policy = byScopes(
    compilePolicy({
      server: 'notes',
      rules: null,
      resources: { scope: admin },
      prompts: { scope: 'acme:p' },
    }),
  );
  assert.deepEqual(policy.baseline(), [read]);
});

test('a decision cannot be changed by whoever got it', () => {
  const decision = builtIn.decide(call('x'), { name: 'x' }, [write]);
  assert.throws(() => Object.assign(decision, { allow: false }), TypeError);
  assert.throws(() => (decision.scopes as string[]).push('x'), TypeError);
  assert.throws(
    () => Object.assign(builtIn.decide({ kind: 'tools' }, null, [read]), { allow: false }),
    TypeError,
  );
});

test('nothing is allowed that the granted scopes do not satisfy; more scopes never take away', () => {
  const scope = fc.constantFrom(read, write, admin, resources, prompts, 'acme:x');
  const rule = fc.record({
    match: fc.constantFrom('*', 'a*', 'ab'),
    scope: fc.constantFrom(null, read, write, admin, 'acme:x'),
    show: fc.constantFrom(null, 'open' as const, 'locked' as const, 'hidden' as const),
  });
  const facts = fc.constantFrom<(ToolFacts | null | 'unknown')[]>(
    null,
    'unknown',
    { name: 'ab' },
    { name: 'ab', readOnlyHint: true },
  );
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 5 }),
      facts,
      fc.array(scope),
      scope,
      (partial, tool, granted, extra) => {
        const policy = policyOf(rulesOf(...partial));
        const decision = policy.decide(call('ab'), tool, granted);
        if (decision.allow) {
          assert.ok(decision.scopes.length === 1 && satisfies(granted, decision.scopes));
          assert.ok(decision.scopes.every((each) => policy.scopes().includes(each)));
          assert.equal(policy.decide(call('ab'), tool, [...granted, extra]).allow, true);
        } else if (decision.code === 'scope_missing') {
          assert.equal(policy.decide(call('ab'), tool, decision.scopes).allow, true);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
