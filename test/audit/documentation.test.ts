import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { callFields, eventFields } from '../../src/audit/fields.ts';
import { auditReasons, auditResults } from '../../src/audit/index.ts';

const page = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8');

/** The codes in the first column of the tables below a heading. */
function rowsBelow(heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const cells = [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].map((match) => match[1] ?? '');
  return cells.flatMap((cell) => cell.replaceAll('`', '').split(', '));
}

test('docs/audit.md has one row for each reason, and no other', () => {
  assert.deepEqual(rowsBelow('Reasons').toSorted(), auditReasons.toSorted());
});

test('docs/audit.md has one row for each result and field', () => {
  assert.deepEqual(rowsBelow('Results').toSorted(), [...auditResults, 'unknown'].toSorted());
  const stored = ['seq', 'writer', 'position', 'hash'];
  assert.deepEqual(rowsBelow('The record').toSorted(), [...Object.keys(callFields), ...stored].toSorted());
  const events = page.split('**Events** ')[1]?.split('\n\n')[0] ?? '';
  for (const name of Object.keys(eventFields)) assert.ok(events.includes(`\`${name}\``), name);
});

/** Names of events as the sources write them: `event: 'a.b'`, `audit('a.b'`, and members of a type. */
function eventsInSources(): Set<string> {
  const root = new URL('../../', import.meta.url);
  const found = new Set<string>();
  for (const file of globSync('src/**/*.ts', {
    cwd: root,
    exclude: ['src/{check,config,detections,telemetry}/**'],
  })) {
    const text = readFileSync(new URL(file, root), 'utf8');
    const written = /(?:\bevent: |Event = |\b(?:audit|event|tell|record)\(|\| |\? |: )'([a-z_]+\.[a-z_]+)'/g;
    for (const [, name = ''] of text.matchAll(written)) if (!notEvents.test(name)) found.add(name);
  }
  return found;
}

/** `pins.${done}` of a command. */
const composed = ['pins.approved', 'pins.kept'];

/** Members of other vocabularies that stand in the same places. */
const notEvents = /^(?:builtin|portcullis|client\.address|user\.id|evil)\b|\.(?:db|ts|md|exe|scope)$/;

test('docs/audit.md has every event that is recorded, and no other', () => {
  const documented = rowsBelow('Events').filter((name) => name !== 'detection.ID');
  assert.deepEqual(documented.toSorted(), [...eventsInSources(), ...composed].toSorted());
});
