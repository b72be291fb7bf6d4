import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  type Definition,
  type Finding,
  gradeChange,
  gradeFirst,
  gradeOf,
  readDefinition,
} from '../../src/pins/index.ts';
import { isObject, type Json, type JsonObject } from '../../src/protocol/index.ts';

interface Case {
  readonly name: string;
  readonly after?: JsonObject;
  readonly first?: JsonObject;
  readonly grade: 'none' | 'low' | 'high';
  readonly kinds: readonly string[];
}

const file = new URL('../vectors/pins/drift.json', import.meta.url);
const { before, cases } = JSON.parse(readFileSync(file, 'utf8')) as { before: JsonObject; cases: Case[] };

/** Merges as test/vectors/pins/README.md says. */
function merged(base: Json | undefined, change: Json): Json {
  if (!isObject(change)) return change;
  const result: Record<string, Json> = isObject(base) ? { ...base } : {};
  for (const [key, value] of Object.entries(change)) {
    if (key === '$reorder') continue;
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return change['$reorder'] === true ? Object.fromEntries(Object.entries(result).toReversed()) : result;
}

function definition(tool: Json): Definition {
  const found = readDefinition(tool);
  assert.ok(found !== null && 'hash' in found);
  return found;
}

const graded = (findings: readonly Finding[]) => (findings.length === 0 ? 'none' : gradeOf(findings));

describe('what a changed definition is graded as', () => {
  for (const { name, after, grade, kinds } of cases) {
    if (after === undefined) continue;
    it(`${name}: ${grade}`, () => {
      const findings = gradeChange(definition(before), definition(merged(before, after)));
      assert.equal(graded(findings), grade, JSON.stringify(findings));
      for (const kind of kinds)
        assert.ok(
          findings.some((one) => one.kind === kind),
          `${kind}: ${JSON.stringify(findings)}`,
        );
    });
  }
});

describe('what a definition that nobody knew is graded as', () => {
  for (const { name, first, grade, kinds } of cases) {
    if (first === undefined) continue;
    it(`${name}: ${grade}`, () => {
      const findings = gradeFirst(definition(merged(before, first)));
      assert.equal(graded(findings), grade, JSON.stringify(findings));
      for (const kind of kinds)
        assert.ok(
          findings.some((one) => one.kind === kind),
          `${kind}: ${JSON.stringify(findings)}`,
        );
    });
  }
});

describe('the hash of a definition', () => {
  it('covers every member but what the gateway says itself', () => {
    const hash = definition(before).hash;
    for (const member of Object.keys(before)) {
      const { [member]: _, ...less } = before;
      if (member !== 'name') assert.notEqual(definition(less).hash, hash, member);
    }
    assert.notEqual(definition({ ...before, anything: 1 }).hash, hash);
    assert.equal(definition({ ...before, securitySchemes: [] }).hash, hash);
  });

  it('has no value for what has no one reading: too large, too deep, half a character', () => {
    let deep: Json = 1;
    for (let level = 0; level < 20_000; level++) deep = [deep];
    const bad: Json[] = [deep, 'x'.repeat(200_000), '\ud800', Number.POSITIVE_INFINITY];
    for (const value of bad) {
      const found = readDefinition({ name: 'tool', value });
      assert.ok(found !== null && 'unreadable' in found);
    }
  });
});
