import assert from 'node:assert/strict';
import { it } from 'node:test';
import { crash } from './crash.ts';

it('a gateway that is killed while it serves leaves a trail of every call', {
  timeout: 240_000,
}, async (t) => {
  const report = await crash(3);
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.faults, []);
});
