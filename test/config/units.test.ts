import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseDuration, parseRate } from '../../src/config/units.ts';

describe('rates', () => {
  it('reads each unit', () => {
    const minute = 60_000;
    assert.deepEqual(parseRate('600/min'), { count: 600, periodMs: minute, burst: 600 });
    assert.deepEqual(parseRate('60/min burst 10'), { count: 60, periodMs: minute, burst: 10 });
    assert.deepEqual(parseRate('5/s'), { count: 5, periodMs: 1000, burst: 5 });
    assert.deepEqual(parseRate('1000/h'), { count: 1000, periodMs: 60 * minute, burst: 1000 });
    assert.deepEqual(parseRate('10000/day'), { count: 10_000, periodMs: 1440 * minute, burst: 10_000 });
  });

  it('refuses what is no rate, and one that admits nobody', () => {
    for (const text of [
      '',
      '5',
      '5/',
      '/min',
      '0/min',
      '5/min burst 0',
      '-5/min',
      '5.5/min',
      '5/fortnight',
      '5 / min',
      '5/min ',
      '1e3/s',
      '5/constructor',
    ]) {
      assert.equal(parseRate(text), null, text);
    }
  });
});

describe('durations', () => {
  it('reads each unit', () => {
    assert.equal(parseDuration('500ms'), 500);
    assert.equal(parseDuration('60s'), 60_000);
    assert.equal(parseDuration('15m'), 900_000);
    assert.equal(parseDuration('2h'), 7_200_000);
    assert.equal(parseDuration('90d'), 7_776_000_000);
  });

  it('refuses the rest', () => {
    for (const text of ['', '60', 's', '0s', '-1s', '1.5h', '1 h', '1w', '1min'])
      assert.equal(parseDuration(text), null, text);
  });
});

it('never throws, and never gives a rate or time that is not positive and finite', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const rate = parseRate(text);
      assert.ok(rate === null || (rate.count > 0 && rate.periodMs > 0 && rate.burst > 0));
      const duration = parseDuration(text);
      assert.ok(duration === null || (duration > 0 && Number.isFinite(duration)));
    }),
  );
});
