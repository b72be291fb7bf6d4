import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { it } from 'node:test';
import { attribute, metric } from '../../src/telemetry/index.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

it('docs/telemetry.md has every metric', () => {
  const page = read('docs/telemetry.md');
  for (const name of Object.values(metric)) {
    const shown = name.replaceAll('.', '_');
    assert.match(page, new RegExp(`\`${shown}(_seconds|_bytes|_ratio)?(_total)?\``), name);
  }
});

it('names that leave stand in one file', () => {
  const names = [...Object.values(attribute), ...Object.values(metric)].filter((name) => name.includes('.'));
  for (const file of globSync('src/{telemetry,audit/copies,gateway,pipeline}/**/*.ts', { cwd: root })) {
    if (file.endsWith('telemetry/names.ts')) continue;
    const text = read(file);
    for (const name of names) assert.ok(!text.includes(`'${name}'`), `${file} has ${name} of its own`);
  }
});
