import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { configJsonSchema, inspectConfig } from '../../src/config/index.ts';
import { findUnsupported } from '../../src/config/unsupported.ts';
import { home, root, run } from './support/run.ts';

const page = (name: string) => readFileSync(join(root, 'docs', name), 'utf8');

describe('docs/cli.md', () => {
  it('has every command, and every option of its help', async (t) => {
    const where = { cwd: home(t) };
    const { commands } = JSON.parse((await run(['help', '--json'], where)).stdout) as {
      commands: { name: string }[];
    };
    const text = page('cli.md');
    assert.ok(commands.length >= 9);
    for (const { name } of commands) {
      assert.ok(text.includes(`\n## ${name}\n`), `docs/cli.md has no section ${name}`);
      const { stdout } = await run([...name.split(' '), '--help'], where);
      for (const [option] of stdout.matchAll(/^ {2}(--[a-z-]+)/gm)) {
        assert.ok(text.includes(option.trim()), `docs/cli.md does not speak of ${option} (${name})`);
      }
    }
  });
});

describe('docs/configuration.md', () => {
  it('has every key of the schema', () => {
    const text = page('configuration.md');
    for (const path of keysOf(configJsonSchema() as Node, '')) {
      if (isRefused(path)) continue;
      const own = path.split('.').at(-1) ?? '';
      assert.ok(
        text.includes(`\`${path}\``) || text.includes(`${own}:`),
        `docs/configuration.md does not speak of ${path}`,
      );
    }
  });

  it('has YAML that is fine', async (t) => {
    const cwd = home(t);
    const blocks = [...page('configuration.md').matchAll(/^```yaml\n(.*?)^```/gms)];
    assert.ok(blocks.length > 0);
    for (const [, yaml = ''] of blocks) {
      writeFileSync(join(cwd, 'portcullis.yaml'), yaml);
      await inspectConfig({ file: 'portcullis.yaml', cwd });
    }
  });
});

/** Keys that the schema has and this version refuses: the page says what is read. */
function isRefused(path: string): boolean {
  const nest = (value: unknown, key: string): object =>
    key.endsWith('[]') ? { [key.slice(0, -2)]: [value] } : { [key]: value };
  return findUnsupported(path.split('.').reduceRight<unknown>(nest, 'x')).length > 0;
}

interface Node {
  readonly properties?: Record<string, Node>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}

/** Dotted paths of the leaves, as the page writes them: `servers.*.` left out, lists as `tools[]`. */
function keysOf(node: Node, path: string): string[] {
  const inner = [
    ...Object.entries(node.properties ?? {}).map(
      ([key, child]) => [path === '' ? key : `${path}.${key}`, child] as const,
    ),
    ...(node.anyOf ?? []).map((child) => [path, child] as const),
    ...(node.items ? [[`${path}[]`, node.items] as const] : []),
    ...(path === 'servers' && typeof node.additionalProperties === 'object'
      ? [['', node.additionalProperties] as const]
      : []),
  ];
  const below = inner.flatMap(([name, child]) => keysOf(child, name));
  return below.length > 0 || path === '' ? below : [path.replace(/\[\]$/, '')];
}
