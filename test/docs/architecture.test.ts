import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { blocksOf, read, root } from './documents.ts';

const page = read('ARCHITECTURE.md');
const map = [...page.matchAll(/^\| `src\/([a-z-]+)\/` \|/gm)].map((row) => row[1] ?? '');
const folders = new Set(
  globSync('src/*/**/*.{ts,tsx}', { cwd: root }).map(
    (file) => file.replaceAll('\\', '/').split('/')[1] ?? '',
  ),
);

describe('ARCHITECTURE.md', () => {
  it('has every folder of src/ on its map, once, and no other', () => {
    assert.deepEqual(map.toSorted(), [...folders].toSorted());
  });

  it('names only files and folders that exist', () => {
    const named = [...page.matchAll(/`((?:src|test|docs|schema)\/[\w./-]*)`/g)].map(
      (match) => match[1] ?? '',
    );
    assert.ok(named.length > 30, 'the pattern finds the names no more');
    for (const path of named) assert.ok(existsSync(join(root, path)), `${path} is not there`);
  });

  it('draws the steps in the order of the pipeline', () => {
    const drawing = blocksOf(page)[0]?.text ?? '';
    const steps = ['authenticate', 'parse', 'authorize', 'limit', 'confirm', 'record', 'forward'];
    const drawn = steps.toSorted((a, b) => drawing.indexOf(a) - drawing.indexOf(b));
    assert.deepEqual(drawn, steps);
    const code = read('src/pipeline/pipeline.ts');
    const pass = code.slice(code.indexOf('function pass('));
    const called = steps.map((step) => pass.search(new RegExp(`\\b${step}(?:Intent)?\\(`)));
    assert.ok(!called.includes(-1), `not in the pipeline: ${steps.filter((_, at) => called[at] === -1)}`);
    assert.deepEqual(
      called,
      called.toSorted((a, b) => a - b),
      'the pipeline has another order',
    );
  });

  it('stays one page', () => {
    assert.ok(page.split('\n').length <= 115, 'ARCHITECTURE.md is one page: take something out');
  });
});
