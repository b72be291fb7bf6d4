import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Concurrency, createConcurrency, retryAfterHeader } from '../../src/limits/index.ts';

function enter(concurrency: Concurrency, client: string, upstream = 'notes'): () => void {
  const verdict = concurrency.enter(client, upstream);
  assert.ok(verdict.entered);
  return verdict.release;
}

test('a client has so many calls at once, and a place again when one ends', () => {
  const concurrency = createConcurrency({ client: 2, upstream: 10 });
  const release = enter(concurrency, 'a');
  enter(concurrency, 'a', 'tickets');
  assert.deepEqual(concurrency.enter('a', 'notes'), { entered: false, layer: 'client', limit: 2 });
  enter(concurrency, 'b');
  release();
  enter(concurrency, 'a');
});

test('an upstream has so many calls at once, over all clients', () => {
  const concurrency = createConcurrency({ client: 2, upstream: 3 });
  enter(concurrency, 'a');
  enter(concurrency, 'b');
  const release = enter(concurrency, 'c');
  assert.deepEqual(concurrency.enter('d', 'notes'), { entered: false, layer: 'upstream', limit: 3 });
  enter(concurrency, 'd', 'tickets');
  release();
  enter(concurrency, 'd');
});

test('attack: one client does not take the places of the others', () => {
  const concurrency = createConcurrency({ client: 2, upstream: 3 });
  for (let calls = 0; calls < 100; calls++) concurrency.enter('greedy', 'notes');
  enter(concurrency, 'other');
});

test('a release counts once', () => {
  const concurrency = createConcurrency({ client: 1, upstream: 10 });
  const release = enter(concurrency, 'a');
  release();
  release();
  enter(concurrency, 'a');
  release();
  assert.equal(concurrency.enter('a', 'notes').entered, false);
});

test('a refused call holds nothing', () => {
  const concurrency = createConcurrency({ client: 1, upstream: 1 });
  const release = enter(concurrency, 'a');
  for (let calls = 0; calls < 100; calls++) concurrency.enter(`client-${calls}`, 'notes');
  assert.deepEqual(concurrency.size(), { running: 1, names: 2 });
  release();
  assert.deepEqual(concurrency.size(), { running: 0, names: 0 });
});

test('names of Object.prototype are names like any other', () => {
  const concurrency = createConcurrency({ client: 1, upstream: 2 });
  enter(concurrency, '__proto__', 'constructor');
  assert.equal(concurrency.enter('__proto__', 'constructor').entered, false);
});

test('limits that are no numbers let nobody in', () => {
  assert.equal(createConcurrency({ client: Number.NaN, upstream: 1 }).enter('a', 'b').entered, false);
});

test('never more than the limits, nothing left at the end', () => {
  const step = fc.record({
    client: fc.constantFrom('a', 'b', 'c'),
    upstream: fc.constantFrom('x', 'y'),
    leave: fc.nat({ max: 3 }),
    enters: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(step),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 5 }),
      (steps, perClient, perUpstream) => {
        const concurrency = createConcurrency({ client: perClient, upstream: perUpstream });
        const held: { client: string; upstream: string; release: () => void }[] = [];
        const countOf = (name: string) =>
          held.filter((each) => each.client === name || each.upstream === name).length;
        for (const { client, upstream, leave, enters } of steps) {
          if (!enters) {
            for (const { release } of held.splice(leave, 1)) release();
            continue;
          }
          const hasRoom = countOf(client) < perClient && countOf(upstream) < perUpstream;
          const verdict = concurrency.enter(client, upstream);
          assert.equal(verdict.entered, hasRoom);
          if (verdict.entered) held.push({ client, upstream, release: verdict.release });
          assert.equal(concurrency.size().running, held.length);
        }
        for (const { release } of held) release();
        assert.deepEqual(concurrency.size(), { running: 0, names: 0 });
      },
    ),
  );
});

test('Retry-After is in whole seconds that are long enough', () => {
  const cases: [number, string][] = [
    [1, '1'],
    [999, '1'],
    [1000, '1'],
    [1001, '2'],
    [60_000, '60'],
  ];
  for (const [ms, header] of cases) assert.equal(retryAfterHeader(ms), header);
});
