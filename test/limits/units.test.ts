import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoopGuard, createPenalties } from '../../src/limits/index.ts';

test('a loop is exact in any stretch of time, and a clock that steps back frees nothing', () => {
  const guard = createLoopGuard({ identical: 3, withinMs: 1000, maxCalls: 10 });
  for (const at of [0, 400, 800]) assert.equal(guard.enter('a', at).entered, true);
  const refused = guard.enter('a', 900);
  assert.ok(!refused.entered && refused.retryAfterMs === 100);
  assert.equal(guard.enter('a', 100).entered, false);
  assert.equal(guard.enter('a', 999).entered, false);
  assert.equal(guard.enter('a', 1000).entered, true);
  assert.equal(guard.enter('a', 1399).entered, false);
});

test('attack: twenty thousand different calls neither grow the memory nor free the one that loops', () => {
  const guard = createLoopGuard({ identical: 5, withinMs: 3_600_000, maxCalls: 1000 });
  for (let i = 0; i < 5; i++) guard.enter('loop', 0);
  for (let i = 0; i < 2_000; i++) {
    for (let j = 0; j < 10; j++) guard.enter(`${i} ${j}`, 1);
    if (i % 100 === 0) assert.equal(guard.enter('loop', 2).entered, false);
  }
  assert.ok(guard.size() <= 1000);
});

test('attack: rows of refusals are bounded, and a penalty never lasts longer than it may', () => {
  const penalties = createPenalties();
  for (let i = 0; i < 50_000; i++) penalties.refused(`caller ${i}`, 10, 0);
  assert.ok(penalties.size() <= 20_000);
  let wait = 0;
  for (let i = 0; i < 10_000; i++) wait = penalties.refused('hammer', 10, 0);
  assert.equal(wait, 5000);
  assert.equal(penalties.waitMs('hammer', 4999), 1);
  assert.equal(penalties.waitMs('hammer', 5000), 0);
  assert.equal(penalties.refused('hammer', 86_400_000, 5000), 86_400_000);
  penalties.admitted('hammer');
  assert.equal(penalties.refused('hammer', 10, 90_000_000), 10);
});
