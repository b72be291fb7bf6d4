import assert from 'node:assert/strict';
import { it } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { noTokens, reportOf, runCheck } from '../../src/check/index.ts';
import { verdictsOf, writtenVerdicts } from './written.ts';
import { startEverything } from './zoo/index.ts';

it('a bare server is what docs/check/server-everything.md says', async (t) => {
  const server = await startEverything();
  t.after(() => server.close());
  const run = await runCheck({
    target: new URL(server.url),
    clock: systemClock,
    version: 'test',
    timeLimitMs: 120_000,
    tokens: noTokens,
    allowed: { burst: false, register: true, tools: [] },
    expectPublic: false,
    audit: null,
    lock: null,
    declared: null,
    mill: null,
  });
  assert.deepEqual(
    verdictsOf(reportOf(run, { version: 'test', suppressions: [] })),
    writtenVerdicts('server-everything'),
  );
});
