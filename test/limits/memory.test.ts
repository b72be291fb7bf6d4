import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLimiter, type MemoryLimiter } from '../../src/limits/index.ts';
import { createMemoryStore } from '../../src/limits/stores/memory.ts';
import { demandOf, limitOf } from './fixtures.ts';

function exhaust(limiter: MemoryLimiter, key: string, limit = limitOf(10, 60_000), now = 0): void {
  while (limiter.admit([demandOf('client', key, limit)], now).admitted);
}

test('attack: 200,000 keys neither exceed the bound nor free the key that is abused', () => {
  const maxKeys = 10_000;
  const limit = limitOf(10, 60_000);
  const limiter = createLimiter({ maxKeys });
  exhaust(limiter, 'abuser');
  for (let index = 0; index < 200_000; index++) {
    limiter.admit([demandOf('client', `flood-${index}`, limit)], index / 200_000);
    if (index % 1000 === 0) {
      assert.ok(limiter.size() <= maxKeys);
      assert.equal(limiter.admit([demandOf('client', 'abuser', limit)], index / 200_000).admitted, false);
    }
  }
  assert.equal(limiter.size(), maxKeys);
});

test('attack: when full, new keys share one ceiling instead of having none', () => {
  const limit = limitOf(10, 60_000);
  const limiter = createLimiter({ maxKeys: 100 });
  for (let index = 0; index < 100; index++) limiter.admit([demandOf('client', `k${index}`, limit)], 0);
  let admitted = 0;
  for (let index = 0; index < 1000; index++) {
    if (limiter.admit([demandOf('client', `new-${index}`, limit)], 0).admitted) admitted++;
  }
  assert.equal(admitted, 10);
  assert.equal(limiter.size(), 100);
  assert.equal(limiter.admit([demandOf('client', 'k5', limit)], 0).admitted, true); // who is counted stays so
  assert.equal(limiter.admit([demandOf('tool', 'new', limit)], 0).admitted, true); // layers do not mix
});

test('a refusal by the shared ceiling tells the truth, also when a slot comes free meanwhile', () => {
  const limit = limitOf(10, 60_000);
  const refusedAt = (at: number): boolean => {
    const limiter = createLimiter({ maxKeys: 100 });
    for (let index = 0; index < 100; index++) limiter.admit([demandOf('client', `k${index}`, limit)], 0);
    for (let index = 0; index < 10; index++) limiter.admit([demandOf('client', `n${index}`, limit)], 0);
    const verdict = limiter.admit([demandOf('client', 'late', limit)], 0);
    assert.ok(!verdict.admitted && verdict.retryAfterMs === 6000);
    return !limiter.admit([demandOf('client', 'late', limit)], at).admitted;
  };
  assert.equal(refusedAt(5999), true);
  assert.equal(refusedAt(6000), false);
});

test('keys whose time has passed make room', () => {
  const limit = limitOf(10, 1000);
  const limiter = createLimiter({ maxKeys: 100 });
  for (let index = 0; index < 100; index++) limiter.admit([demandOf('client', `old-${index}`, limit)], 0);
  for (let index = 0; index < 100; index++) exhaust(limiter, `new-${index}`, limit, 100);
  assert.equal(limiter.size(), 100);
  for (let index = 0; index < 100; index++) {
    assert.equal(
      limiter.admit([demandOf('client', `new-${index}`, limit)], 100).admitted,
      false,
      `new-${index}`,
    );
  }
});

test('idle keys are let go while others call', () => {
  const limit = limitOf(10, 1000);
  const limiter = createLimiter({ maxKeys: 100_000 });
  for (let index = 0; index < 20_000; index++) limiter.admit([demandOf('client', `once-${index}`, limit)], 0);
  assert.equal(limiter.size(), 20_000);
  for (let index = 0; index < 20_000; index++)
    limiter.admit([demandOf('client', 'busy', limit)], 5000 + index);
  assert.ok(limiter.size() <= 1025, `${limiter.size()}`);
});

test('refused calls leave no keys behind', () => {
  const limiter = createLimiter({ maxKeys: 100 });
  const organization = demandOf('organization', 'o', limitOf(1, 60_000));
  limiter.admit([organization], 0);
  for (let index = 0; index < 50; index++) {
    limiter.admit([organization, demandOf('client', `c${index}`, limitOf(1, 1000))], 0);
  }
  assert.equal(limiter.size(), 1);
});

test('a full store never gives a key more than its limit', () => {
  const limit = limitOf(3, 300); // one each 100 ms
  const calls = fc.array(
    fc.record({ gap: fc.integer({ min: 0, max: 60 }), key: fc.integer({ min: 0, max: 9 }) }),
    {
      maxLength: 150,
    },
  );
  fc.assert(
    fc.property(calls, fc.integer({ min: 1, max: 6 }), (sequence, maxKeys) => {
      const limiter = createLimiter({ maxKeys });
      const admitted = new Map<number, number[]>();
      let now = 0;
      for (const { gap, key } of sequence) {
        now += gap;
        if (!limiter.admit([demandOf('client', String(key), limit)], now).admitted) continue;
        const times = [...(admitted.get(key) ?? []), now];
        admitted.set(key, times);
        for (const [index, from] of times.entries()) {
          assert.ok(times.length - index <= 3 + (now - from) / 100, `key ${key} at ${now}`);
        }
        assert.ok(limiter.size() <= maxKeys);
      }
    }),
    { numRuns: 500 },
  );
});

test('the store finds what it was given, until it lets it go', () => {
  const store = createMemoryStore(3);
  for (const [index, key] of ['a', 'b', 'c'].entries()) store.add(key, index * 10);
  assert.throws(() => store.add('d', 0), RangeError);
  assert.equal(store.read(store.find('b')), 10);
  store.makeRoom(1, 10);
  assert.deepEqual([store.find('a'), store.find('b')], [-1, -1]);
  assert.equal(store.read(store.find('c')), 20);
  store.add('d', 30);
  assert.equal(store.read(store.find('d')), 30);
  assert.equal(store.size(), 2);
  assert.equal(store.find('e'), -1);
});

test('a key is held to the very tick at which it is as good as new', () => {
  const store = createMemoryStore(1);
  store.add('a', 1000);
  store.makeRoom(1, 999);
  assert.equal(store.free(), 0);
  store.makeRoom(1, 1000);
  assert.equal(store.free(), 1);
});

test('when full, one key that can go is found among fifty that cannot', () => {
  const store = createMemoryStore(50);
  for (let index = 0; index < 50; index++) store.add(`k${index}`, index === 45 ? 0 : 1000);
  store.makeRoom(1, 10);
  assert.equal(store.free(), 1);
  assert.equal(store.find('k45'), -1);
});
