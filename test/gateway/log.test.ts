import assert from 'node:assert/strict';
import { it } from 'node:test';
import { neutralJson } from '../../src/base/index.ts';

const hostile = 'a\u009b31m\u202e\u200b\u2028\u{e0041}\ufeff\u2066\u007fz';

it('a log line says the same and drives no terminal', () => {
  const line = neutralJson(`${JSON.stringify({ hostile })}\n`);
  assert.match(line, /^[ -~]+\n$/);
  assert.deepEqual(JSON.parse(line), { hostile });
});
