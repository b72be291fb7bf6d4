import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, silentLog } from '../../src/base/index.ts';
import { createLimiter, joinKeeper, type Keeper } from '../../src/limits/index.ts';
import { until } from '../gateway/support.ts';
import { demandOf, limitOf } from './fixtures.ts';

const word = 'ab'.repeat(32);

/** Time that stands still. */
function clockAt(epoch: number): Clock {
  return { now: () => epoch, monotonic: () => 5_000 };
}

function directory(t: TestContext, name = 'keeper'): string {
  const path = mkdtempSync(join(tmpdir(), `portcullis-${name}-`));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function joined(t: TestContext, dataDir: string, clock = clockAt(1_000_000)): Promise<Keeper> {
  const memory = createLimiter({ maxKeys: 1000 });
  const keeper = await joinKeeper({ dataDir, word, memory, clock, log: silentLog });
  t.after(() => keeper.close());
  return keeper;
}

const day = demandOf('client', 'a', limitOf(10, 86_400_000));
const minute = demandOf('tool', 'a', limitOf(6, 60_000));

test('one counts, all ask it: of calls that race exactly N pass', async (t) => {
  const dataDir = directory(t);
  const members = [await joined(t, dataDir), await joined(t, dataDir), await joined(t, dataDir)];
  assert.deepEqual(
    members.map((member) => member.isHere()),
    [true, false, false],
  );
  const verdicts = await Promise.all(
    Array.from({ length: 60 }, (_, i) => members[i % 3]?.admit([day, minute], 5_000)),
  );
  assert.equal(verdicts.filter((verdict) => verdict?.admitted).length, 6);
  const refused = await members[1]?.admit([day, minute], 0);
  assert.ok(refused && !refused.admitted && refused.layer === 'tool');
  assert.equal(refused.retryAfterMs, 10_000);
  assert.equal(statSync(join(dataDir, 'limits.sock')).mode & 0o777, 0o600);
});

test('when it ends another takes over, and nothing is given back', async (t) => {
  const dataDir = directory(t);
  const [first, second] = [await joined(t, dataDir), await joined(t, dataDir)];
  for (let i = 0; i < 6; i++) assert.equal((await first.admit([day, minute], 5_000)).admitted, true);
  const waiting = Array.from({ length: 8 }, () => second.admit([day], 5_000));
  first.close();
  const found = await Promise.all(waiting);
  await until(() => assert.equal(second.isHere(), true));
  const passed = found.filter(({ admitted }) => admitted).length;
  assert.ok(passed <= 4, `${passed}`);
  assert.equal((await second.admit([minute], 5_000)).admitted, false);
});

test('counters go on over a restart by the clock on the wall', async (t) => {
  const dataDir = directory(t);
  const first = await joined(t, dataDir);
  for (let i = 0; i < 6; i++) await first.admit([minute], 5_000);
  first.close();
  const soon = await joined(t, dataDir, clockAt(1_009_999));
  assert.equal((await soon.admit([minute], 5_000)).admitted, false);
  soon.close();
  const later = await joined(t, dataDir, clockAt(1_010_100));
  assert.equal((await later.admit([minute], 5_000)).admitted, true);
  assert.equal((await later.admit([minute], 5_000)).admitted, false);
  later.close();
  const before = await joined(t, dataDir, clockAt(0));
  const verdict = await before.admit([minute], 5_000);
  assert.ok(!verdict.admitted && verdict.retryAfterMs <= 10_000, 'a clock set back: one burst at most');
});

test('a path that no socket name could hold is no hindrance', async (t) => {
  const dataDir = directory(t, 'long'.repeat(40));
  const [first, second] = [await joined(t, dataDir), await joined(t, dataDir)];
  assert.deepEqual([first.isHere(), second.isHere()], [true, false]);
  assert.equal((await second.admit([minute], 0)).admitted, true);
});

test('attack: who does not know the word, or talks nonsense, is cut off and charges nothing', async (t) => {
  const dataDir = directory(t);
  const keeper = await joined(t, dataDir);
  const question = JSON.stringify([1, [['tool', minute.key, 6, 60_000, 6]]]);
  const said = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(join(dataDir, 'limits.sock'), () => socket.write(text));
      socket.on('data', (chunk) => {
        answer += chunk.toString();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(answer));
    });
  for (const text of [
    `${question}\n`,
    `${'cd'.repeat(32)}\n${question}\n`,
    `${word}\nnonsense\n`,
    `${word}\n[1,[["tool","k",0,60000,6]]]\n`,
    `${word}\n[1,[["other","k",1,60000,6]]]\n`,
    `${word}\n[1,[["tool",{},1,60000,6]]]\n`,
    `${word}\n${'x'.repeat(100_000)}`,
  ]) {
    assert.equal(await said(text), '', text.slice(0, 80));
  }
  for (let i = 0; i < 6; i++) assert.equal((await keeper.admit([minute], 5_000)).admitted, true);
});
