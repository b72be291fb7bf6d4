import assert from 'node:assert/strict';
import { it } from 'node:test';
import { neutralJson } from '../../src/base/index.ts';
import { visible } from '../../src/cli/visible.ts';

const hostile = 'a\u009b31m\u202e\u200b\u2028\u{e0041}\ufeff\u2066\u007fz';

it('a log line says the same and drives no terminal', () => {
  const line = neutralJson(`${JSON.stringify({ hostile })}\n`);
  assert.match(line, /^[ -~]+\n$/);
  assert.deepEqual(JSON.parse(line), { hostile });
});

it('what a command prints of others is shown, not obeyed; its lines stay', () => {
  assert.match(visible(`${hostile}\u001b[2J\nnext`), /^a[\ufffd]31m[\ufffd]+z[\ufffd]\[2J\nnext$/);
});
