import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { draftPolicy } from '../../src/cli/policy-draft.ts';
import type { ToolRuleConfig } from '../../src/config/index.ts';
import { policyOf, rulesOf } from '../policy/fixtures.ts';
import { home, run } from './support/run.ts';

const everything = resolve('node_modules/@modelcontextprotocol/server-everything/dist/index.js');

interface Draft {
  readonly tools: Partial<ToolRuleConfig>[];
}

describe('policy init', () => {
  it('names each tool of a real server, and the configuration with it loads', {
    timeout: 120_000,
  }, async (t) => {
    const cwd = home(t);
    const written = await run(
      ['policy', 'init', '--out', 'policy.yaml', '--', process.execPath, everything, 'stdio'],
      {
        cwd,
        env: {},
      },
    );
    assert.equal(written.code, 0, written.stderr);
    const text = readFileSync(join(cwd, 'policy.yaml'), 'utf8');
    const { tools } = parse(text) as Draft;
    assert.ok(tools.length >= 8, text);
    assert.ok(tools.some(({ match }) => match === 'echo'));
    assert.ok(tools.every(({ match }) => !/[*?]/.test(match ?? '*')));
    const head = `publicUrl: http://127.0.0.1:4180\ndata: ./d\nservers: { e: { upstream: { command: [e] } } }\n`;
    writeFileSync(join(cwd, 'portcullis.yaml'), head + text);
    assert.equal((await run(['config', 'check'], { cwd, env: {} })).code, 0);
    const again = await run(
      ['policy', 'init', '--out', 'policy.yaml', '--', process.execPath, everything, 'stdio'],
      { cwd, env: {} },
    );
    assert.equal(again.code, 1, 'it wrote over a file');
  });
});

describe('a draft', () => {
  it('gives scopes by what the server claims, and says why', () => {
    const text = draftPolicy(
      [
        {
          name: 'bank',
          tools: [
            { name: 'get', readOnlyHint: true },
            { name: 'add', destructiveHint: false },
            { name: 'drop', destructiveHint: true },
            { name: 'both', readOnlyHint: true, destructiveHint: true },
            { name: 'silent' },
          ],
        },
      ],
      false,
    );
    const { tools } = parse(text) as Draft;
    assert.deepEqual(
      tools.map(({ match, scope }) => `${match} ${scope}`),
      [
        'add mcp:tools:write',
        'both mcp:tools:admin',
        'drop mcp:tools:admin',
        'get mcp:tools:read',
        'silent mcp:tools:write',
      ],
    );
    assert.match(text, /"silent".*# claims nothing/);
  });

  it('attack: names cannot become globs, keys or lines of the file', () => {
    const names = [
      '*',
      'a*',
      '?',
      'x" , scope: mcp:tools:read } #',
      'a\n  - { match: "*", scope: mcp:tools:read }',
      '\u202egnp',
      '',
      'a b',
      'é',
      'x'.repeat(200),
      '__proto__',
    ];
    const text = draftPolicy(
      [{ name: 'evil', tools: names.map((name) => ({ name, readOnlyHint: true })) }],
      true,
    );
    const { tools } = parse(text) as Draft;
    assert.deepEqual(tools, [{ match: '__proto__', server: 'evil', scope: 'mcp:tools:read' }]);
    const policy = policyOf(rulesOf(...tools), 'evil');
    assert.equal(policy.visibility({ name: 'later', readOnlyHint: true }, ['mcp:tools:admin']), 'hidden');
  });

  it('of no tools allows none', () => {
    assert.deepEqual(parse(draftPolicy([{ name: 'e', tools: [] }], false)), { tools: [] });
  });
});
