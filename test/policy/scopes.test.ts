import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  challengeScopes,
  describeScope,
  satisfies,
  scopeDescriptions,
  standardScopes,
} from '../../src/policy/index.ts';

const read = 'mcp:tools:read';
const write = 'mcp:tools:write';
const admin = 'mcp:tools:admin';
const resources = 'mcp:resources:read';

test('admin covers write covers read, and never the other way', () => {
  const order = [read, write, admin];
  for (const [holds, granted] of order.entries()) {
    for (const [needs, required] of order.entries()) {
      assert.equal(satisfies([granted], [required]), holds >= needs, `${granted} for ${required}`);
    }
  }
});

test('tool scopes say nothing of resources and prompts, nor these of tools', () => {
  for (const other of [resources, 'mcp:prompts:read']) {
    assert.equal(satisfies([admin], [other]), false);
    assert.equal(satisfies([other], [read]), false);
  }
});

test('every required scope is needed; none required is satisfied by nothing', () => {
  assert.equal(satisfies([], []), true);
  assert.equal(satisfies([], [read]), false);
  assert.equal(satisfies([write], [read, resources]), false);
  assert.equal(satisfies([write, resources], [read, resources]), true);
});

test('a set and an array of scopes are the same grant', () => {
  assert.equal(satisfies(new Set([admin]), [read]), true);
  assert.equal(satisfies(new Set([read]), [write]), false);
  assert.deepEqual(challengeScopes(new Set([read]), [write]), [read, write]);
});

test('attack: scopes that look like a broader one grant nothing', () => {
  const lookalikes = [
    'mcp:tools:*',
    'mcp:tools',
    'mcp:*',
    '*',
    'MCP:TOOLS:ADMIN',
    'mcp:tools:admin ',
    'mcp:tools:admin,',
  ];
  for (const scope of [...lookalikes, '__proto__', 'constructor', '', 'mcp:tools:read mcp:tools:admin']) {
    assert.equal(satisfies([scope], [read]), false, scope);
  }
});

test('a challenge names what is held, then what is missing', () => {
  assert.deepEqual(challengeScopes([read], [write]), [read, write]);
  assert.deepEqual(challengeScopes([resources, read], [admin]), [read, resources, admin]);
  assert.deepEqual(challengeScopes([write], [read, resources]), [write, resources]);
  assert.deepEqual(challengeScopes([], [write]), [write]);
});

test('attack: a challenge repeats no scope that we do not know', () => {
  const granted = ['evil" error="x', 'https://evil.example', read, '\r\nSet-Cookie: a=b'];
  assert.deepEqual(challengeScopes(granted, [write]), [read, write]);
  assert.deepEqual(challengeScopes(['acme:files'], [write]), [write]);
  assert.deepEqual(challengeScopes(['acme:files'], [write], [...standardScopes, 'acme:files']), [
    'acme:files',
    write,
  ]);
});

test('a token made from the challenge satisfies it, with no scope twice, in an order that the grant does not choose', () => {
  const anyScope = fc.constantFrom(...standardScopes, 'unknown:a', 'unknown:b');
  const required = fc.array(fc.constantFrom(...standardScopes), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(anyScope, { maxLength: 9 }), required, (granted, needed) => {
      const scopes = challengeScopes(granted, needed);
      assert.ok(satisfies(scopes, needed));
      assert.equal(new Set(scopes).size, scopes.length);
      assert.ok(scopes.every((scope) => standardScopes.includes(scope)));
      for (const scope of standardScopes) if (granted.includes(scope)) assert.ok(scopes.includes(scope));
      assert.deepEqual(challengeScopes(granted.toReversed(), needed), scopes);
    }),
  );
});

test('every standard scope has a sentence, others get one that names them', () => {
  for (const scope of standardScopes) assert.ok(scopeDescriptions.has(scope), scope);
  assert.equal(describeScope(write), 'Call tools that change things');
  assert.match(describeScope('acme:files'), /acme:files/);
});
