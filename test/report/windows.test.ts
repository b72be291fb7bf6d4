import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createLimiter } from '../../src/limits/index.ts';
import { Windows } from '../../src/report/windows.ts';

describe('calls in a minute', () => {
  it('are counted where the calls are, not by the calendar', () => {
    const windows = new Windows();
    for (const at of [59_000, 59_500, 60_000, 60_500, 119_000, 200_000]) windows.add('a', at);
    windows.add('b', 200_000);
    assert.equal(windows.largest, 4);
    assert.equal(windows.percentile(50), 2);
    assert.equal(windows.percentile(100), 4);
  });

  it('as a limit let pass all that was seen', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 200 }), (gaps) => {
        const windows = new Windows();
        let at = 0;
        const times = gaps.map((gap) => (at += gap));
        for (const time of times) windows.add('caller', time);
        const count = windows.percentile(100);
        const limiter = createLimiter({ maxKeys: 10 });
        const limit = { count, periodMs: 60_000, burst: count };
        for (const time of times) {
          const verdict = limiter.admit([{ layer: 'client', key: 'caller', limit }], time);
          assert.ok(verdict.admitted, `${count} a minute refuses the call at ${time}`);
        }
      }),
      { numRuns: 100 },
    );
  });
});
