import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type Circumstances,
  type ConditionFault,
  compileCondition,
  isConditionFault,
} from '../../src/policy/conditions/index.ts';
import type { JsonObject } from '../../src/protocol/index.ts';

const circumstances = (args: JsonObject, more: Partial<Circumstances> = {}): Circumstances => ({
  tool: {
    name: 'pay',
    server: 'bank',
    readOnly: false,
    destructive: true,
    idempotent: false,
    openWorld: true,
  },
  args,
  caller: {
    subject: 'anna',
    issuer: 'https://idp.example.com',
    client: 'claude',
    organization: 'acme',
    scopes: ['mcp:tools:read', 'mcp:tools:write'],
  },
  now: Date.UTC(2026, 10, 25, 8, 30),
  ...more,
});

function evaluate(text: string, args: JsonObject = {}, more: Partial<Circumstances> = {}) {
  const condition = compileCondition(text);
  assert.ok(!isConditionFault(condition), JSON.stringify(condition));
  return condition.evaluate(circumstances(args, more));
}

/** The reason of an error; a verdict when there is none. */
function outcome(text: string, args: JsonObject = {}, more: Partial<Circumstances> = {}): boolean | string {
  const verdict = evaluate(text, args, more);
  return typeof verdict === 'boolean' ? verdict : verdict.reason;
}

function faultOf(text: string): ConditionFault {
  const compiled = compileCondition(text);
  assert.ok(isConditionFault(compiled), `${text} compiles`);
  return compiled;
}

/** As they come from the wire: `__proto__` is an own member then. */
const parsed = (json: string) => JSON.parse(json) as JsonObject;

describe('a condition', () => {
  const cases: [text: string, args: JsonObject, expected: boolean | string][] = [
    ['args.amount > 100', { amount: 101 }, true],
    ['args.amount > 100', { amount: 100 }, false],
    ['args.amount > 100', { amount: 100.5 }, true],
    ['args.amount > 100', { amount: 1e300 }, true],
    ['args.amount > 100', { amount: -1e300 }, false],
    ['args.amount > 100.5', { amount: 101 }, true],
    ['args.n % 2 == 0', { n: 4 }, true],
    ['args.n % 2 == 0', { n: -0 }, true],
    ['args.n == 0', { n: -0 }, true],
    ['args.n % 2 == 0', { n: 4.5 }, 'a value has another type'],
    ['args.price * 1.5 > 100.0', { price: 80.5 }, true],
    ['double(args.price) * 1.5 > 100.0', { price: 80 }, true],
    ['args.currency == "EUR" && args.amount <= 10', { currency: 'EUR', amount: 10 }, true],
    ['args.to.all(x, x.endsWith("@acme.com"))', { to: ['a@acme.com', 'b@acme.com'] }, true],
    ['args.to.all(x, x.endsWith("@acme.com"))', { to: ['a@acme.com', 'b@evil.com'] }, false],
    ['args.lines.exists(x, x.amount > 10)', { lines: [{ amount: 1 }, { amount: 11 }] }, true],
    ['args.l.map(x, x * 2) == [2, 4]', { l: [1, 2] }, true],
    ['args.l.filter(x, x > 1).size() == 1', { l: [1, 2] }, true],
    ['args.a.b[0].c == "x"', { a: { b: [{ c: 'x' }] } }, true],
    ['args["content-type"] == "text/plain"', { 'content-type': 'text/plain' }, true],
    ['has(args.force) && args.force', {}, false],
    ['has(args.force)', { force: null }, true],
    ['args.force == null', { force: null }, true],
    ['"force" in args', { force: null }, true],
    ['size(args) == 2', { a: 1, b: 2 }, true],
    ['args.path.matches("^/tmp/[a-z]+$")', { path: '/tmp/abc' }, true],
    ['args.path.matches("^/tmp/[a-z]+$")', { path: '/tmp/../etc' }, false],
    ['type(args.x) == string', { x: 'a' }, true],
    ['type(args.x) == string', { x: ['a'] }, false],
  ];
  for (const [text, args, expected] of cases) {
    it(`${text} of ${JSON.stringify(args)}: ${expected}`, () => assert.equal(outcome(text, args), expected));
  }

  it('sees the tool, the caller and the time', () => {
    for (const text of [
      'tool.name == "pay" && tool.server == "bank" && tool.destructive && !tool.readOnly && tool.openWorld && !tool.idempotent',
      'caller.subject == "anna" && caller.client == "claude" && caller.organization == "acme"',
      'caller.issuer == "https://idp.example.com" && "mcp:tools:write" in caller.scopes',
      'now.getHours() == 8 && now.getHours("Europe/Berlin") == 9 && now.getHours("-08:30") == 0',
      'now.getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5] && now.getDate() == 25 && now.getMonth() == 10',
      'now > timestamp("2026-11-25T08:29:00Z") && now - timestamp("2026-11-25T08:00:00Z") == duration("30m")',
    ])
      assert.equal(evaluate(text), true, text);
  });

  it('says what it reads', () => {
    const reads = (text: string) => {
      const condition = compileCondition(text);
      assert.ok(!isConditionFault(condition));
      return [...condition.reads].toSorted();
    };
    assert.deepEqual(reads('caller.scopes.exists(s, s == "x")'), ['caller']);
    assert.deepEqual(reads('tool.name == "x" || has(args.y) || now > now'), ['args', 'now', 'tool']);
    assert.deepEqual(reads('true'), []);
    assert.deepEqual(reads('[args].exists(a, true)'), ['args']);
  });
});

describe('a condition that cannot be decided is an error, never false', () => {
  const cases: [text: string, args: JsonObject, reason: string][] = [
    ['args.amount > 100', {}, 'a member is missing'],
    ['args.a.b > 1', { a: {} }, 'a member is missing'],
    ['args.a.b > 1', { a: 5 }, 'a member is missing'],
    ['args.l[3] == 1', { l: [1] }, 'a member is missing'],
    ['args.amount > 100', { amount: '101' }, 'a value has another type'],
    ['args.amount > 100', { amount: null }, 'a value has another type'],
    ['args.amount > 100', { amount: [101] }, 'a value has another type'],
    ['args.amount > 100', { amount: { valueOf: 101 } }, 'a value has another type'],
    ['args.s.startsWith("a")', { s: ['a'] }, 'a value has another type'],
    ['args.n / args.d > 1', { n: 1, d: 0 }, 'it cannot be computed'],
    ['int(args.s) > 1', { s: 'x' }, 'it cannot be computed'],
    ['args.flag', { flag: 'true' }, 'it is neither true nor false'],
    ['!args.flag', { flag: 1 }, 'a value has another type'],
    ['args.l.all(x, x > 1)', { l: 5 }, 'it cannot be computed'],
    ['args.n * 4 > 1', { n: Number.MAX_SAFE_INTEGER * 2 }, 'a value has another type'],
    ['args.n * 4611686018427387904 > 1', { n: 4 }, 'it cannot be computed'],
  ];
  for (const [text, args, reason] of cases) {
    it(`${text} of ${JSON.stringify(args)}: ${reason}`, () => assert.equal(outcome(text, args), reason));
  }

  it('but for what the other side of && and || decides', () => {
    assert.equal(outcome('args.missing > 1 || true'), true);
    assert.equal(outcome('args.missing > 1 && false'), false);
  });

  it('whose reason repeats nothing that the caller sent', () => {
    const secret = 'canary-5417';
    for (const [text, args] of [
      ['args.m[args.k] == 1', { m: {}, k: secret }],
      ['int(args.k) > 1', { k: secret }],
      ['timestamp(args.k) > now', { k: secret }],
      ['args.k > 1', { k: secret }],
    ] as const) {
      const verdict = evaluate(text, args);
      assert.ok(typeof verdict === 'object' && !verdict.reason.includes(secret), text);
    }
  });
});

describe('attack', () => {
  it('members of Object.prototype are there when they were sent, and only then', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      assert.equal(outcome(`has(args.${name})`), false, name);
      assert.equal(outcome(`"${name}" in args`), false, name);
      assert.equal(outcome(`args.${name} == 1`), 'a member is missing', name);
      assert.equal(outcome(`args.${name} == 1`, parsed(`{"${name}":1}`)), true, name);
      assert.equal(outcome(`args.a.${name} == 1`, parsed(`{"a":{"${name}":1}}`)), true, name);
    }
    assert.equal(
      outcome('args.admin == true', parsed('{"__proto__":{"admin":true}}')),
      'a member is missing',
    );
    assert.equal(outcome('caller.subject == "anna"', parsed('{"caller":{"subject":"root"}}')), true);
  });

  it('a member that differs by case or Unicode form alone is ambiguous: servers exist that read it as the other', () => {
    const reason = 'the arguments spell a member in two ways';
    for (const other of ['Amount', 'AMOUNT', 'ａmount', 'amoun\u{1d42d}'])
      assert.equal(outcome('args.amount <= 100', { amount: 1, [other]: 9999 }), reason, other);
    assert.equal(outcome('args.task == 1', { 'ta\u017fk': 1, task: 1 }), reason);
    assert.equal(outcome('args.a.amount <= 100', { a: { amount: 1, Amount: 2 } }), reason);
    assert.equal(outcome('args.l[0].amount <= 100', { l: [{ amount: 1, Amount: 2 }] }), reason);
    assert.equal(outcome('args.amount <= 100', { Amount: 1 }), reason);
    assert.equal(outcome('args.amount <= 100', { amount: 1, total: 2 }), true);
    assert.equal(outcome('args.amount <= 100 && args.Amount > 1', { amount: 1, Amount: 2 }), true);
  });

  it('numbers of every kind compare by value, and none is infinite or NaN', () => {
    assert.equal(outcome('args.n > 9007199254740992', { n: 1e300 }), true);
    assert.equal(outcome('args.n <= 9007199254740991', { n: Number.MAX_SAFE_INTEGER }), true);
    assert.equal(outcome('args.n < 0', { n: -0 }), false);
    assert.equal(outcome('args.n == 1', { n: 1.0 }), true);
    assert.equal(outcome('args.n > 0 || args.n <= 0', { n: 5e-324 }), true);
  });

  it('the time zone of the machine changes nothing, in the hour that it does not have either', () => {
    const program = `
      import { compileCondition } from ${JSON.stringify(join(import.meta.dirname, '../../src/policy/conditions/index.ts'))};
      const hours = compileCondition('now.getHours() == 2 && now.getMinutes() == 30 && now.getDayOfYear() == 87');
      const zone = compileCondition('now.getHours("America/New_York") == 22 && now.getDate("America/New_York") == 28');
      const at = { tool: {}, args: {}, caller: { scopes: [] }, now: Date.UTC(2026, 2, 29, 2, 30) };
      console.log(hours.evaluate(at), zone.evaluate(at));`;
    for (const TZ of ['Europe/Berlin', 'UTC', 'Pacific/Auckland']) {
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        env: { TZ, PATH: process.env['PATH'] },
        encoding: 'utf8',
      });
      assert.equal(stdout.trim(), 'true true', `${TZ}: ${stdout}${stderr}`);
    }
  });
});

describe('what is wrong is found when the expression is compiled', () => {
  const cases: [text: string, message: RegExp, meant?: string][] = [
    ['args.amount >', /cannot be read at character \d+/],
    ['', /cannot be read/],
    ['arg.x == 1', /knows no arg \(at character 1\)/, 'args'],
    ['tool.nme == "x"', /has no member nme there/, 'name'],
    ['caller.scope == "x"', /has no member scope/, 'scopes'],
    ['caller.roles == []', /has no member roles/],
    ['tool.name == 1', /compares a text with a whole number/],
    ['tool.name + 1 == "x"', /\+ does not take a text and a whole number/],
    ['tool.name > 1', /> does not take/],
    ['now > "2026-01-01"', /does not take a time and a text/],
    ['foo(args.x)', /knows no function foo/],
    ['tool.name.startWith("x")', /knows no function startWith/, 'startsWith'],
    ['"a".contains(1)', /contains does not take a text and a whole number/],
    ['1 in caller.scopes', /looks for a whole number in a list of others/],
    ['tool.name', /is no condition/],
    ['tool.readOnly && tool.name', /has a text beside &&/],
    ['!tool.name', /does not take a text/],
    ['tool.name.x == 1', /reads \.x of a text/],
    ['tool.name.all(x, true)', /goes through a text/],
    ['caller.scopes.all(args, true)', /calls an element args/],
    ['args.x.matches("(a")', /RE2/],
    ['args.x.matches("(?=a)b")', /RE2/],
    ['args.x.matches(args.y)', /no literal/],
    ['args.x.matches("a" + args.y)', /no literal/],
    ['now.getHours("Mars/Base") == 1', /names no time zone/],
    ['now.getHours(args.zone) == 1', /time zone that is a literal/],
    ['now > timestamp("yesterday")', /timestamp that cannot be read/],
    ['now - now > duration("1 hour")', /duration that cannot be read/],
    ['google.protobuf.Timestamp{seconds: 1} == now', /cannot make/],
    ['args.a.all(a, a.all(b, b.all(c, c)))', /lists within lists/],
    [`${'args.x == 1 || '.repeat(150)}true`, /longer than 2000|is too long/],
    ['x'.repeat(2001), /longer than 2000/],
  ];
  for (const [text, message, meant] of cases) {
    it(text.slice(0, 60) || '(empty)', () => {
      const fault = faultOf(text);
      assert.match(fault.message, message);
      if (meant) assert.ok(fault.names?.known.includes(meant), JSON.stringify(fault));
    });
  }
});
