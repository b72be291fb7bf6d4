import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { it } from 'node:test';
import { parse } from 'yaml';
import { check } from '../../src/cli/commands/check.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Readonly<Record<string, unknown>>[] }>>;
}

it('the workflow in docs/check.md is YAML, and types what the published program takes', () => {
  const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(read('docs/check.md')) ?? [];
  const workflow = parse(text) as Workflow;
  const steps = workflow.jobs['check']?.steps ?? [];
  const command = steps.map((step) => String(step['run'] ?? '')).find((line) => line.includes('check')) ?? '';
  const { name, version, bin } = JSON.parse(read('package.json')) as Record<string, unknown>;
  const [npx, yes, published, word, ...parameters] = command.replaceAll('"', '').split(/\s+/);
  assert.deepEqual(
    [npx, yes, published, word],
    ['npx', '--yes', `${String(name)}@${String(version)}`, 'check'],
  );
  assert.ok(Object.keys(bin as object).includes(String(name)));
  const given = parseCommandLine({ name: 'check', summary: '', ...check }, parameters, 'portcullis');
  assert.deepEqual(given.words, ['$URL']);
  assert.equal(given.text('format'), 'sarif');
  const upload = steps.find((step) => String(step['uses']).includes('upload-sarif'));
  assert.deepEqual(upload?.['with'], { sarif_file: given.text('output') });
});
