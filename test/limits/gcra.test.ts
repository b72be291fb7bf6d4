import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { charged, paceOf, ticksAt, ticksPerMs, waitMs, waitTicks } from '../../src/limits/gcra.ts';
import type { RateLimit } from '../../src/policy/index.ts';
import { limitOf } from './fixtures.ts';

/** One counter, as the limiter uses the functions. */
function counter(limit: RateLimit) {
  const pace = paceOf(limit);
  let tat = Number.NEGATIVE_INFINITY;
  return {
    /** Milliseconds to wait; 0: admitted and charged. */
    call(now: number): number {
      const ticks = ticksAt(now);
      const wait = waitTicks(tat, ticks, pace);
      if (wait === 0) tat = charged(tat, ticks, pace);
      return waitMs(wait);
    },
    /** Milliseconds to wait, charging nothing. */
    peek: (now: number): number => waitMs(waitTicks(tat, ticksAt(now), pace)),
  };
}

/**
 * The ideal leaky bucket in exact fractions: level in units of 1/period of a call, drained by `count` units a
 * millisecond. Written after the definition of a rate, not after the algorithm.
 */
function idealBucket(limit: RateLimit) {
  const scale = BigInt(ticksPerMs);
  const call = BigInt(limit.periodMs) * scale;
  let level = 0n;
  let last: bigint | null = null;
  return (now: number): boolean => {
    const ticks = BigInt(ticksAt(now));
    if (last !== null) level -= (ticks - last) * BigInt(limit.count);
    if (level < 0n) level = 0n;
    last = ticks;
    if (level + call > call * BigInt(limit.burst)) return false;
    level += call;
    return true;
  };
}

const anyLimit = fc.record({
  count: fc.integer({ min: 1, max: 5000 }),
  periodMs: fc.constantFrom(1000, 60_000, 3_600_000, 86_400_000),
  burst: fc.integer({ min: 1, max: 20 }),
});
/** Limits whose interval is a whole number of ticks: there nothing is rounded. */
const exactLimit = fc.record({
  count: fc.constantFrom(1, 2, 5, 10, 60, 600, 1000, 60_000),
  periodMs: fc.constantFrom(60_000, 3_600_000),
  burst: fc.integer({ min: 1, max: 20 }),
});
const anyGaps = fc.array(
  fc.oneof(fc.double({ min: 0, max: 3, noNaN: true }), fc.double({ min: 0, max: 5000, noNaN: true })),
  { minLength: 1, maxLength: 120 },
);

function times(gaps: readonly number[], start = 12_345.678): number[] {
  let now = start;
  return gaps.map((gap) => {
    now += gap;
    return now;
  });
}

test('the burst comes at once, then one call for each interval, to the millisecond', () => {
  const { call } = counter(limitOf(60, 60_000, 3));
  assert.deepEqual([call(0), call(0), call(0), call(0)], [0, 0, 0, 1000]);
  assert.equal(call(999), 1);
  assert.equal(call(1000), 0);
  assert.equal(call(1000), 1000);
  assert.deepEqual([call(4000), call(4000), call(4000), call(4000)], [0, 0, 0, 1000]);
});

test('attack: no double burst at the edge of a window', () => {
  const { call } = counter(limitOf(10, 1000));
  let admitted = 0;
  for (let now = 950; now < 1050; now++) if (call(now) === 0) admitted++;
  assert.equal(admitted, 10);
  assert.equal(call(1049.999), 1);
  assert.equal(call(1050), 0);
});

test('an interval that is no whole number is never rounded in favour of the caller', () => {
  const { call } = counter(limitOf(7, 1000, 1));
  let admitted = 0;
  for (let now = 0; now <= 100_000; now++) if (call(now) === 0) admitted++;
  assert.ok(admitted <= 701 && admitted >= 695, `${admitted}`);
});

test('ten thousand calls, each as early as it can be, are not too fast by a tick', () => {
  const limit = limitOf(7, 1000, 1);
  const pace = paceOf(limit);
  let now = 0;
  let tat = charged(Number.NEGATIVE_INFINITY, now, pace);
  for (let calls = 0; calls < 10_000; calls++) {
    now += waitTicks(tat, now, pace);
    tat = charged(tat, now, pace);
  }
  assert.ok(now * limit.count >= 10_000 * limit.periodMs * ticksPerMs, `${now} ticks`);
});

test('decides as the ideal bucket does, where intervals are whole', () => {
  fc.assert(
    fc.property(exactLimit, anyGaps, (limit, gaps) => {
      const { call } = counter(limit);
      const ideal = idealBucket(limit);
      for (const now of times(gaps)) assert.equal(call(now) === 0, ideal(now), `at ${now}`);
    }),
    { numRuns: 1000 },
  );
});

test('never more than burst + elapsed × rate, between any two calls', () => {
  fc.assert(
    fc.property(anyLimit, anyGaps, (limit, gaps) => {
      const { call } = counter(limit);
      const admitted = times(gaps).filter((now) => call(now) === 0);
      for (const [from, first] of admitted.entries()) {
        for (let to = from; to < admitted.length; to++) {
          const elapsed = ticksAt(admitted[to] ?? 0) - ticksAt(first);
          const most =
            BigInt(limit.burst) * BigInt(limit.periodMs * ticksPerMs) + BigInt(elapsed) * BigInt(limit.count);
          assert.ok(BigInt(to - from + 1) * BigInt(limit.periodMs * ticksPerMs) <= most);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('a wait is true: admitted after it, refused a millisecond earlier', () => {
  fc.assert(
    fc.property(anyLimit, anyGaps, (limit, gaps) => {
      const { call, peek } = counter(limit);
      for (const now of times(gaps)) {
        const wait = call(now);
        if (wait === 0) continue;
        assert.ok(Number.isInteger(wait) && wait >= 1);
        assert.equal(peek(now + wait), 0, `at ${now} + ${wait}`);
        assert.ok(peek(now + wait - 1) > 0, `at ${now} + ${wait} - 1`);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a wait is true after ten years of running', () => {
  const { call, peek } = counter(limitOf(7, 1000, 2));
  const now = 10 * 365 * 86_400_000 + 0.123;
  call(now);
  call(now);
  const wait = call(now);
  assert.equal(wait, 143);
  assert.equal(peek(now + wait), 0);
  assert.ok(peek(now + wait - 1) > 0);
});

test('a limit that was lowered holds at once', () => {
  const wide = paceOf(limitOf(1000, 60_000));
  const narrow = paceOf(limitOf(1, 60_000));
  let tat = Number.NEGATIVE_INFINITY;
  for (let calls = 0; calls < 1000; calls++) tat = charged(tat, 0, wide);
  assert.equal(waitMs(waitTicks(tat, 0, narrow)), 60_000);
});

test('what is not a time is refused', () => {
  const pace = paceOf(limitOf(10, 1000));
  assert.notEqual(waitTicks(0, ticksAt(Number.NaN), pace), 0);
  assert.notEqual(waitTicks(Number.NaN, 0, pace), 0);
  assert.notEqual(waitTicks(0, 0, paceOf(limitOf(Number.NaN, 1000))), 0);
  assert.notEqual(waitTicks(0, 0, paceOf(limitOf(0, 1000))), 0);
});
