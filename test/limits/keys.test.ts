import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256Hex } from '../../src/base/index.ts';
import { createLimiter, type LimitedCall, limitDemands } from '../../src/limits/index.ts';
import { limitOf } from './fixtures.ts';

const client = limitOf(600, 60_000);
const organization = limitOf(60_000, 60_000);
const perTool = limitOf(60, 60_000);

function callOf(change: Partial<LimitedCall> = {}): LimitedCall {
  return {
    limits: { client: [client], organization: [organization] },
    decision: {
      allow: true,
      rule: 'tools[0]',
      scopes: ['mcp:tools:read'],
      confirm: null,
      limit: { each: [perTool], total: [] },
      destructive: false,
    },
    principal: { issuer: 'https://idp.example.com', organization: 'acme', subjectKey: 'subject-1' },
    server: 'notes',
    tool: 'delete_user',
    ...change,
  };
}

const layersOf = (call: LimitedCall) => limitDemands(call).map(({ layer }) => layer);
const keysOf = (call: LimitedCall) => limitDemands(call).map(({ key }) => key);

test('three layers, each with its own limit', () => {
  const demands = limitDemands(callOf());
  assert.deepEqual(
    demands.map(({ layer, limit }) => [layer, limit]),
    [
      ['client', client],
      ['tool', perTool],
      ['organization', organization],
    ],
  );
  assert.equal(new Set(demands.map(({ key }) => key)).size, 3);
});

test('a layer without a limit asks nothing', () => {
  const { decision } = callOf();
  assert.deepEqual(layersOf(callOf({ limits: { client: [], organization: [organization] } })), [
    'tool',
    'organization',
  ]);
  assert.deepEqual(layersOf(callOf({ limits: { client: [client], organization: [] } })), ['client', 'tool']);
  assert.deepEqual(layersOf(callOf({ decision: { ...decision, limit: null } })), ['client', 'organization']);
  assert.deepEqual(layersOf(callOf({ tool: null })), ['client', 'organization']);
});

test('attack: a refreshed token, a new registration or a new address does not reset a limit', () => {
  const limiter = createLimiter({ maxKeys: 1000 });
  let admitted = 0;
  for (let renewal = 0; renewal < 300; renewal++) {
    const renewed = {
      ...callOf().principal,
      clientId: `registered-${renewal}`,
      tokenId: `jti-${renewal}`,
      scopes: ['mcp:tools:read', `x${renewal}`],
      expiresAt: renewal,
      key: `subject-1 client ${renewal}`,
    };
    if (limiter.admit(limitDemands(callOf({ principal: renewed })), 0).admitted) admitted++;
  }
  assert.equal(admitted, 60);
});

test('the tool counts for each caller, tool and server; the client over all tools; the organization over all', () => {
  const [clientKey, toolKey, organizationKey] = keysOf(callOf());
  const other = keysOf(callOf({ principal: { ...callOf().principal, subjectKey: 'subject-2' } }));
  assert.deepEqual(
    other.map((key, index) => key === [clientKey, toolKey, organizationKey][index]),
    [false, false, true],
  );
  for (const elsewhere of [callOf({ tool: 'delete_file' }), callOf({ server: 'tickets' })]) {
    const keys = keysOf(elsewhere);
    assert.deepEqual([keys[0], keys[1] === toolKey, keys[2]], [clientKey, false, organizationKey]);
  }
});

test('an organization counts by its issuer: another issuer cannot spend its limit', () => {
  const ours = keysOf(callOf())[2];
  const theirs = keysOf(callOf({ principal: { ...callOf().principal, issuer: 'https://evil.example' } }))[2];
  assert.notEqual(ours, theirs);
});

test('attack: names that join to the same text are different keys', () => {
  const { principal } = callOf();
  const differ = (a: Partial<LimitedCall>, b: Partial<LimitedCall>, layer: number) =>
    assert.notEqual(keysOf(callOf(a))[layer], keysOf(callOf(b))[layer]);
  differ(
    { tool: 'a:b', principal: { ...principal, subjectKey: 'c' } },
    { tool: 'a', principal: { ...principal, subjectKey: 'b:c' } },
    1,
  );
  differ(
    { principal: { ...principal, issuer: 'https://a:1', organization: 'c' } },
    { principal: { ...principal, issuer: 'https://a', organization: '1:c' } },
    2,
  );
  const long = 'x'.repeat(200);
  differ(
    { principal: { ...principal, subjectKey: long } },
    { principal: { ...principal, subjectKey: sha256Hex(long) } },
    0,
  );
});

test('attack: no two different callers, tools or organizations share a key', () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.array(fc.constantFrom(':', '#', '1', 'a'), { maxLength: 6 }).map((parts) => parts.join('')),
    fc.string({ minLength: 90, maxLength: 130 }),
  );
  const call = fc.record({
    server: fc.constantFrom('a', 'a-1', '1'),
    tool: piece,
    subjectKey: piece,
    issuer: piece,
    organization: piece,
  });
  fc.assert(
    fc.property(call, call, (a, b) => {
      const [clientA, toolA, organizationA] = keysOf(callOf({ ...a, principal: a }));
      const [clientB, toolB, organizationB] = keysOf(callOf({ ...b, principal: b }));
      assert.equal(clientA === clientB, a.subjectKey === b.subjectKey);
      const sameTool = a.server === b.server && a.tool === b.tool && a.subjectKey === b.subjectKey;
      assert.equal(toolA === toolB, sameTool);
      assert.equal(
        organizationA === organizationB,
        a.issuer === b.issuer && a.organization === b.organization,
      );
      assert.equal(
        new Set([clientA, toolA, organizationA, clientB, toolB, organizationB].filter(isOf(a))).size,
        3,
      );
    }),
    { numRuns: 2000 },
  );
  function isOf(a: {
    server: string;
    tool: string;
    subjectKey: string;
    issuer: string;
    organization: string;
  }) {
    const own = keysOf(callOf({ ...a, principal: a }));
    return (key: string | undefined) => key !== undefined && own.includes(key);
  }
});

test('a key has a largest size, however long the names are', () => {
  const long = 'x'.repeat(100_000);
  for (const key of keysOf(
    callOf({ tool: long, principal: { issuer: long, organization: long, subjectKey: long } }),
  )) {
    assert.ok(key.length <= 110, `${key.length}`);
  }
});
