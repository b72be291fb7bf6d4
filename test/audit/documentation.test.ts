import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { auditReasons, auditResults } from '../../src/audit/index.ts';
import { record } from './support.ts';

const page = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8');

/** The codes in the first column of the tables below a heading. */
function rowsBelow(heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '');
}

test('docs/audit.md has one row for each reason, and no other', () => {
  assert.deepEqual(rowsBelow('Reasons').toSorted(), auditReasons.toSorted());
});

test('docs/audit.md has one row for each result and field', () => {
  assert.deepEqual(rowsBelow('Results').toSorted(), [...auditResults, 'unknown'].toSorted());
  const stored = ['seq', 'writer', 'position', 'phase'];
  assert.deepEqual(rowsBelow('The record').toSorted(), [...Object.keys(record()), ...stored].toSorted());
});
