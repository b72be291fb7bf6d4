import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLimiter } from '../../src/limits/index.ts';
import { demandOf, limitOf } from './fixtures.ts';

test('every layer has to admit; the refusal names the one that refuses', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  const client = demandOf('client', 'a', limitOf(5, 1000));
  const tool = demandOf('tool', 'a', limitOf(2, 1000));
  assert.deepEqual(limiter.admit([client, tool], 0), {
    admitted: true,
    tightest: { demand: tool, remaining: 1, moreInMs: 500 },
  });
  assert.deepEqual(limiter.admit([client, tool], 0), {
    admitted: true,
    tightest: { demand: tool, remaining: 0, moreInMs: 500 },
  });
  assert.deepEqual(limiter.admit([client, tool], 0), {
    admitted: false,
    layer: 'tool',
    retryAfterMs: 500,
    limit: 2,
    remaining: 0,
    demand: tool,
  });
});

test('a refused call is charged nowhere', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  const organization = demandOf('organization', 'o', limitOf(10, 1000));
  const tool = demandOf('tool', 't', limitOf(1, 1000));
  assert.equal(limiter.admit([organization, tool], 0).admitted, true);
  for (let calls = 0; calls < 100; calls++)
    assert.equal(limiter.admit([organization, tool], 0).admitted, false);
  let left = 0;
  while (limiter.admit([organization], 0).admitted) left++;
  assert.equal(left, 9);
});

test('of several layers that refuse, the longest wait is told, whatever their order', () => {
  const slow = demandOf('organization', 'o', limitOf(1, 60_000));
  const fast = demandOf('client', 'c', limitOf(1, 1000));
  for (const demands of [
    [slow, fast],
    [fast, slow],
  ]) {
    const limiter = createLimiter({ maxKeys: 100 });
    limiter.admit(demands, 0);
    const verdict = limiter.admit(demands, 0);
    assert.ok(!verdict.admitted);
    assert.equal(verdict.layer, 'organization');
    assert.equal(verdict.retryAfterMs, 60_000);
  }
});

test('no demands: admitted', () => {
  assert.equal(createLimiter({ maxKeys: 10 }).admit([], 0).admitted, true);
});

test('keys count apart', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  const limit = limitOf(1, 1000);
  assert.equal(limiter.admit([demandOf('client', 'a', limit)], 0).admitted, true);
  assert.equal(limiter.admit([demandOf('client', 'b', limit)], 0).admitted, true);
  assert.equal(limiter.admit([demandOf('tool', 'a', limit)], 0).admitted, true);
  assert.equal(limiter.admit([demandOf('client', 'a', limit)], 0).admitted, false);
});

test('attack: of many calls that race for the last one, exactly one passes', async () => {
  const limiter = createLimiter({ maxKeys: 100 });
  const demands = [demandOf('client', 'c', limitOf(50, 60_000)), demandOf('tool', 't', limitOf(20, 60_000))];
  const verdicts = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      if (index % 3 === 0) await Promise.resolve();
      return limiter.admit(demands, 0);
    }),
  );
  assert.equal(verdicts.filter((verdict) => verdict.admitted).length, 20);
});

const layers = ['client', 'tool', 'organization'] as const;
const anyLimits = fc.tuple(
  ...layers.map(() =>
    fc.record({
      count: fc.integer({ min: 1, max: 30 }),
      periodMs: fc.constantFrom(1000, 60_000),
      burst: fc.integer({ min: 1, max: 5 }),
    }),
  ),
);
const anyCalls = fc.array(
  fc.record({ gap: fc.integer({ min: 0, max: 3000 }), caller: fc.integer({ min: 0, max: 2 }) }),
  { maxLength: 60 },
);

test('the wait is true for all layers together, and refusing changes nothing', () => {
  fc.assert(
    fc.property(anyLimits, anyCalls, (limits, calls) => {
      let now = 0;
      const history: [caller: number, now: number][] = [];
      const demandsOf = (caller: number) =>
        layers.map((layer, index) => {
          const key = layer === 'organization' ? 'all' : String(caller);
          return demandOf(layer, key, limits[index] ?? limitOf(1, 1));
        });
      /** A fresh limiter in the state that admitted calls alone lead to. */
      const replayed = (caller: number, at: number) => {
        const limiter = createLimiter({ maxKeys: 100 });
        for (const [who, when] of history) assert.equal(limiter.admit(demandsOf(who), when).admitted, true);
        return limiter.admit(demandsOf(caller), at).admitted;
      };
      const limiter = createLimiter({ maxKeys: 100 });
      for (const { gap, caller } of calls) {
        now += gap;
        const verdict = limiter.admit(demandsOf(caller), now);
        assert.equal(verdict.admitted, replayed(caller, now));
        if (verdict.admitted) history.push([caller, now]);
        else {
          assert.ok(Number.isInteger(verdict.retryAfterMs) && verdict.retryAfterMs >= 1);
          assert.equal(replayed(caller, now + verdict.retryAfterMs), true);
          assert.equal(replayed(caller, now + verdict.retryAfterMs - 1), false);
        }
      }
    }),
    { numRuns: 200 },
  );
});
