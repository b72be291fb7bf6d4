import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createArgumentsCheck, type SchemaFinding, type ToolFacts } from '../../src/policy/index.ts';
import { compileSchema, SchemaFault } from '../../src/policy/schema/index.ts';
import type { Json, JsonObject } from '../../src/protocol/index.ts';

/** `ok`, `/path problem`, or `unknown`. */
function check(schema: Json, value: JsonObject): string {
  const verdict = compileSchema(schema).check(value);
  if (verdict.fits === 'unknown') return 'unknown';
  return verdict.fits ? 'ok' : `${verdict.path} ${verdict.problem}`;
}

const transfer: Json = {
  type: 'object',
  properties: {
    to: { type: 'string', minLength: 3 },
    amount: { type: 'number', exclusiveMinimum: 0, maximum: 1000 },
    lines: {
      type: 'array',
      maxItems: 2,
      items: { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } },
    },
    kind: { enum: ['a', 'b'] },
  },
  required: ['to', 'amount'],
  additionalProperties: false,
};

describe('what does not fit is said by place and kind, never by value', () => {
  const cases: [value: JsonObject, expected: string][] = [
    [{ to: 'anna', amount: 5 }, 'ok'],
    [{ to: 'anna' }, '/amount is missing'],
    [{ to: 'anna', amount: '5' }, '/amount must be a number'],
    [{ to: 'anna', amount: 0 }, '/amount must be more than 0'],
    [{ to: 'anna', amount: 1001 }, '/amount must be at most 1000'],
    [{ to: 'ab', amount: 5 }, '/to must have at least 3 characters'],
    [{ to: 'anna', amount: 5, lines: [{ sku: 'x' }, { sku: 1 }] }, '/lines/1/sku must be a text'],
    [{ to: 'anna', amount: 5, lines: [{}] }, '/lines/0/sku is missing'],
    [{ to: 'anna', amount: 5, kind: 'canary' }, '/kind must be one of the values that the schema lists'],
    [{ to: 'anna', amount: 5, 'canary-name': 1 }, ' has a member that the schema does not have'],
  ];
  for (const [value, expected] of cases) {
    it(JSON.stringify(value), () => assert.equal(check(transfer, value), expected));
  }
  it('names in a pointer are escaped', () => {
    assert.equal(
      check({ properties: { 'a/b~c': { type: 'string' } } }, { 'a/b~c': 1 }),
      '/a~1b~0c must be a text',
    );
  });
  it('a name that the caller chose is *', () => {
    assert.equal(check({ additionalProperties: { type: 'string' } }, { canary: 1 }), '/* must be a text');
    assert.equal(
      check({ patternProperties: { '^x': { type: 'string' } } }, { xcanary: 1 }),
      '/* must be a text',
    );
  });
});

describe('references', () => {
  const inside: [schema: Json, value: JsonObject, expected: string][] = [
    [{ $ref: '#/$defs/a', $defs: { a: { required: ['x'] } } }, {}, '/x is missing'],
    [{ $ref: '#a', $defs: { a: { $anchor: 'a', required: ['x'] } } }, {}, '/x is missing'],
    [
      { $ref: 'https://x.example/a', $defs: { a: { $id: 'https://x.example/a', required: ['x'] } } },
      {},
      '/x is missing',
    ],
    [
      {
        $id: 'https://x.example/s',
        properties: { a: { $ref: '/s#/$defs/n' } },
        $defs: { n: { type: 'null' } },
      },
      { a: 1 },
      '/a must be null',
    ],
    [
      { properties: { child: { $ref: '#' } }, required: ['n'] },
      { n: 1, child: { n: 1, child: {} } },
      '/child/child/n is missing',
    ],
    [{ $dynamicRef: '#a', $defs: { a: { $dynamicAnchor: 'a', required: ['x'] } } }, {}, '/x is missing'],
  ];
  for (const [schema, value, expected] of inside) {
    it(`inside: ${JSON.stringify(schema).slice(0, 70)}`, () => assert.equal(check(schema, value), expected));
  }
  const elsewhere = [
    'https://evil.example/schema.json',
    'other.json',
    '#/nowhere',
    '#nowhere',
    'file:///etc/passwd',
    '//evil/x',
    'https://json-schema.org/draft/2020-12/schema',
  ];
  for (const $ref of elsewhere) {
    it(`attack: ${$ref} is neither fetched nor taken for anything`, () => {
      assert.throws(() => compileSchema({ properties: { a: { $ref } } }), SchemaFault);
    });
  }
});

describe('older drafts, as servers publish them', () => {
  it('draft-07 as zod-to-json-schema writes it', () => {
    const schema: Json = {
      type: 'object',
      properties: {
        message: { type: 'string', description: 'Message to echo' },
        head: { type: 'integer', minimum: 1 },
      },
      required: ['message'],
      additionalProperties: false,
      $schema: 'http://json-schema.org/draft-07/schema#',
    };
    assert.equal(check(schema, { message: 'x' }), 'ok');
    assert.equal(check(schema, { message: 1 }), '/message must be a text');
    assert.equal(check(schema, { message: 'x', head: 1.5 }), '/head must be a whole number');
    assert.equal(check(schema, { message: 'x', head: 2.0 }), 'ok');
  });
  it('tuples by items, dependencies, exclusiveMinimum: true', () => {
    const tuple: Json = {
      properties: { t: { items: [{ type: 'string' }, { type: 'number' }], additionalItems: false } },
    };
    assert.equal(check(tuple, { t: ['a', 1] }), 'ok');
    assert.equal(check(tuple, { t: ['a', 'b'] }), '/t/1 must be a number');
    assert.equal(check(tuple, { t: ['a', 1, 2] }), '/t/2 is not allowed');
    assert.equal(check({ dependencies: { a: ['b'] } }, { a: 1 }), '/b is missing');
    assert.equal(
      check({ properties: { n: { minimum: 0, exclusiveMinimum: true } } }, { n: 0 }),
      '/n must be more than 0',
    );
  });
  it('format and what nobody knows are annotations', () => {
    assert.equal(
      check(
        { properties: { a: { format: 'email', 'x-mine': [1], examples: ['b'] } }, foo: 'bar' },
        { a: 'no mail' },
      ),
      'ok',
    );
  });
});

describe('attack: schemas of a hostile server', () => {
  const broken: Json[] = [
    null,
    5,
    'text',
    [],
    { type: 'strin' },
    { type: 5 },
    { properties: [] },
    { properties: { a: 5 } },
    { allOf: {} },
    { required: 'a' },
    { pattern: 5 },
    { minLength: 'a' },
    { enum: 'a' },
    { $ref: 5 },
    { $defs: { a: { $anchor: 'x' }, b: { $anchor: 'x' } } },
  ];
  for (const schema of broken) {
    it(`broken: ${JSON.stringify(schema)}`, () => {
      const verdict = checkOf(schema).verdict({});
      assert.equal(verdict.fits, 'unknown');
    });
  }

  it('as deep as JSON goes, and as wide', () => {
    const deep = `${'{"not":'.repeat(50_000)}{}${'}'.repeat(50_000)}`;
    assert.equal(checkOf(deep, 'text').verdict({}).fits, 'unknown');
    const wide = { anyOf: Array.from({ length: 30_000 }, () => ({ type: 'null' })) };
    assert.equal(checkOf(wide).verdict({}).fits, 'unknown');
  });

  const tower = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [
      `s${index}`,
      { allOf: [{ $ref: `#/$defs/s${index + 1}` }, { $ref: `#/$defs/s${index + 1}` }] },
    ]),
  );
  const bombs: [name: string, schema: Json, value: JsonObject][] = [
    ['a reference to itself', { $ref: '#' }, {}],
    [
      'two that refer to each other',
      { $ref: '#/$defs/a', $defs: { a: { anyOf: [{ $ref: '#/$defs/b' }] }, b: { $ref: '#/$defs/a' } } },
      {},
    ],
    ['2^40 by references', { $ref: '#/$defs/s0', $defs: { ...tower, s40: {} } }, {}],
    [
      'twice at each level of the value',
      {
        type: 'object',
        anyOf: [{ properties: { a: { $ref: '#' } } }, { properties: { a: { $ref: '#' }, b: {} } }],
      },
      JSON.parse(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`) as JsonObject,
    ],
    [
      'every item against every alternative',
      {
        properties: {
          l: {
            items: { anyOf: [...Array.from({ length: 5000 }, (_, n) => ({ const: n })), { const: 'x' }] },
          },
        },
      },
      { l: Array.from({ length: 5000 }, () => 'x') },
    ],
    [
      'a pattern that other engines die of',
      { properties: { s: { pattern: '^(a+)+$' } } },
      { s: `${'a'.repeat(1e6)}!` },
    ],
    [
      'a pattern with many states',
      { properties: { s: { pattern: '(?:a?){300}a{300}$' } } },
      { s: 'a'.repeat(500) },
    ],
    [
      'unique items of a long list',
      { properties: { l: { uniqueItems: true } } },
      { l: Array.from({ length: 400_000 }, (_, n) => n) },
    ],
  ];
  for (const [name, schema, value] of bombs) {
    it(`${name} ends in bounded time`, () => {
      const { verdict } = checkOf(schema);
      const from = process.cpuUsage();
      const { fits } = verdict(value);
      const { user, system } = process.cpuUsage(from);
      assert.ok(user + system < 1_500_000, `${(user + system) / 1000} ms`);
      assert.ok(fits === 'unknown' || name.includes('pattern'), String(fits));
    });
  }

  it('members of Object.prototype are neither required members nor keywords', () => {
    const parsed = (json: string) => JSON.parse(json) as JsonObject;
    assert.equal(check({ required: ['constructor'] }, {}), '/constructor is missing');
    assert.equal(check({ required: ['__proto__'] }, {}), '/__proto__ is missing');
    assert.equal(check({ required: ['__proto__'] }, parsed('{"__proto__":1}')), 'ok');
    assert.equal(
      check(parsed('{"properties":{"__proto__":{"type":"string"}}}'), parsed('{"__proto__":1}')),
      '/__proto__ must be a text',
    );
    assert.equal(
      check({ additionalProperties: false }, parsed('{"__proto__":1}')),
      ' has a member that the schema does not have',
    );
    assert.equal(check(parsed('{"__proto__":{"type":"string"}}'), {}), 'ok');
    assert.equal(
      check({ $ref: '#/$defs/constructor', $defs: { constructor: { required: ['x'] } } }, {}),
      '/x is missing',
    );
  });
});

describe('a pattern that cannot be matched in linear time', () => {
  const lookahead = '^(?!\\.)(?!.*\\.\\.)([a-z.]*)@[a-z]+$'; // as zod writes for an e-mail address
  it('is left unchecked and told once; the rest is checked', () => {
    const { verdict, findings } = checkOf({
      properties: { mail: { type: 'string', pattern: lookahead, minLength: 3 } },
    });
    assert.equal(verdict({ mail: 'x..y' }).fits, true);
    assert.deepEqual(verdict({ mail: 5 }), { fits: false, path: '/mail', problem: 'must be a text' });
    assert.equal(verdict({ mail: 'x' }).fits, false);
    assert.equal(findings.length, 1);
    assert.equal(findings[0]?.refused, false);
  });
  it('in patternProperties counts as matching: it makes no stranger of a member', () => {
    const schema: Json = { patternProperties: { '^(?!x)': { type: 'string' } }, additionalProperties: false };
    assert.equal(check(schema, { abc: 'x' }), 'ok');
  });
});

it('a schema is compiled once, and what is kept of them is bounded', () => {
  const findings: SchemaFinding[] = [];
  const checks = createArgumentsCheck((finding) => findings.push(finding));
  const facts = (n: number): ToolFacts => ({
    name: 'x',
    inputSchema: JSON.stringify({ type: 'nonsense', n }),
  });
  for (let n = 0; n < 3; n++) checks.check(facts(1), {});
  assert.equal(findings.length, 1);
  const large = (n: number) => ({
    name: 'x',
    inputSchema: JSON.stringify({ description: 'd'.repeat(9 * 1024 * 1024), n }),
  });
  for (let n = 0; n < 6; n++) checks.check(large(n), {});
  checks.check(facts(1), {});
  assert.equal(findings.length, 2, 'the oldest went');
});

function checkOf(schema: unknown, form?: 'text') {
  const findings: SchemaFinding[] = [];
  const inputSchema = form === 'text' ? String(schema) : JSON.stringify(schema);
  const checks = createArgumentsCheck((finding) => findings.push(finding));
  return { findings, verdict: (value: JsonObject) => checks.check({ name: 't', inputSchema }, value) };
}
