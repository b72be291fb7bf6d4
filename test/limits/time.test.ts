import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLimiter, type MemoryLimiter } from '../../src/limits/index.ts';
import { demandOf, limitOf } from './fixtures.ts';

const limit = limitOf(10, 1000);
const one = demandOf('client', 'a', limit);

function exhaust(limiter: MemoryLimiter, now: number): void {
  while (limiter.admit([one], now).admitted);
}

test('a clock that steps back frees no one, and the announced wait stays true', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  exhaust(limiter, 1_000_000);
  const verdict = limiter.admit([one], 0);
  assert.ok(!verdict.admitted && verdict.retryAfterMs === 100);
  assert.equal(limiter.admit([demandOf('client', 'b', limit)], 0).admitted, true);
  assert.equal(limiter.admit([one], 99).admitted, false);
  assert.equal(limiter.admit([one], 100).admitted, true);
});

test('attack: a clock that jumps to and fro gives its ways forward, and no more', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  let admitted = 0;
  for (let round = 0; round < 50; round++) {
    const now = round % 2 === 0 ? 10_000 : 9_950;
    for (let calls = 0; calls < 20; calls++) if (limiter.admit([one], now).admitted) admitted++;
  }
  assert.equal(admitted, 10 + 12); // 24 times 50 ms forward, at one call each 100 ms
});

test('a step forward fills the burst once', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  exhaust(limiter, 0);
  let admitted = 0;
  while (limiter.admit([one], 1e9).admitted) admitted++;
  assert.equal(admitted, 10);
});

test('after any steps, a wait is true', () => {
  const steps = fc.array(fc.integer({ min: -100_000, max: 100_000 }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, fc.boolean(), (moves, early) => {
      const limiter = createLimiter({ maxKeys: 100 });
      let now = 1e7;
      for (const move of moves) {
        now += move;
        exhaust(limiter, now);
      }
      const verdict = limiter.admit([one], now);
      if (moves.length === 0) return;
      assert.ok(!verdict.admitted && verdict.retryAfterMs <= 100);
      assert.equal(limiter.admit([one], now + verdict.retryAfterMs - (early ? 1 : 0)).admitted, !early);
    }),
  );
});

test('keys of a time that the clock has left make room all the same', () => {
  const limiter = createLimiter({ maxKeys: 50 });
  for (let index = 0; index < 50; index++) limiter.admit([demandOf('client', `k${index}`, limit)], 1e9);
  limiter.admit([one], 0);
  for (let index = 0; index < 50; index++) {
    assert.equal(limiter.admit([demandOf('client', `n${index}`, limit)], 2000).admitted, true);
  }
});

test('what is not a time is refused and spoils nothing', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  limiter.admit([one], 0);
  assert.equal(limiter.admit([one], Number.NaN).admitted, false);
  assert.equal(limiter.admit([one], 0).admitted, true);
});

test('a limit changed by a reload announces true waits too', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  const strict = { ...one, limit: limitOf(10, 3_600_000) };
  while (limiter.admit([strict], 0).admitted);
  const verdict = limiter.admit([one], 0);
  assert.ok(!verdict.admitted && verdict.retryAfterMs === 100);
  assert.equal(limiter.admit([one], 99).admitted, false);
  assert.equal(limiter.admit([one], 100).admitted, true);
});
