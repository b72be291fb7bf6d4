import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { ToolRuleConfig } from '../../src/config/index.ts';
import { standardScopes } from '../../src/policy/index.ts';
import { call, policyOf, read, rulesOf, write } from './fixtures.ts';

const folder = join(import.meta.dirname, '../../docs');

interface Snippet {
  tools?: Partial<ToolRuleConfig>[];
}

function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(folder, page), 'utf8');
  return [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => parse(yaml ?? '') as Snippet);
}

const attributes = ['match', 'server', 'hint', 'when', 'scope', 'limit', 'confirm', 'show'];

for (const page of ['policy.md', 'limits.md']) {
  test(`docs/${page}: every snippet has the sections and attributes of a configuration`, () => {
    const snippets = snippetsOf(page);
    assert.ok(snippets.length > 0);
    for (const snippet of snippets) {
      for (const section of Object.keys(snippet))
        assert.ok(
          [
            'tools',
            'limits',
            'resources',
            'servers',
            'publicUrl',
            'data',
            'trustedProxies',
            'redis',
          ].includes(section),
          section,
        );
      for (const rule of snippet.tools ?? []) {
        for (const attribute of Object.keys(rule)) assert.ok(attributes.includes(attribute), attribute);
        assert.ok(typeof rule.match === 'string');
        if (typeof rule.limit === 'string') assert.match(rule.limit, /^\d+\/(?:min|h|day)/);
      }
    }
  });
}

test('docs/policy.md: the built-in rules are those that are shown', () => {
  const shown = policyOf(rulesOf(...(snippetsOf('policy.md')[0]?.tools ?? [])));
  for (const facts of [
    { name: 'x' },
    { name: 'x', readOnlyHint: true },
    { name: 'x', readOnlyHint: false },
  ]) {
    assert.equal(shown.explain(facts).scope?.value, policyOf(null).explain(facts).scope?.value);
  }
});

test('docs/policy.md: what is said to be hidden is hidden', () => {
  const hiding = snippetsOf('policy.md').find((snippet) =>
    snippet.tools?.some((rule) => rule.show === 'hidden'),
  );
  const policy = policyOf(rulesOf(...(hiding?.tools ?? [])));
  assert.equal(policy.visibility({ name: 'debug_x' }, ['mcp:tools:admin']), 'hidden');
  assert.equal(policy.visibility({ name: 'delete_x' }, [write]), 'hidden');
  assert.equal(policy.visibility({ name: 'delete_x' }, ['mcp:tools:admin']), 'open');
  assert.equal(policy.decide(call('debug_x'), { name: 'debug_x' }, ['mcp:tools:admin']).allow, false);
});

test('docs/policy.md: names every standard scope', () => {
  const text = readFileSync(join(folder, 'policy.md'), 'utf8');
  for (const scope of standardScopes) assert.ok(text.includes(`| \`${scope}\` |`), scope);
  assert.ok(text.includes(read));
});
