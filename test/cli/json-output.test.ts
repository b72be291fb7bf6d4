import assert from 'node:assert/strict';
import { it } from 'node:test';
import { home, run } from './support/run.ts';

it('JSON on a terminal drives none, whatever was typed or read: it says the same in escapes', async (t) => {
  const hostile = 'a\u009b31m\u202e\u2028\u200bz';
  const { stdout } = await run([hostile, '--json'], { cwd: home(t) });
  assert.match(stdout, /^[ -~]+\n$/);
  assert.ok((JSON.parse(stdout) as { error: { message: string } }).error.message.includes(hostile));
});
