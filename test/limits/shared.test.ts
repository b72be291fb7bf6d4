import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/index.ts';
import {
  createLimiter,
  createSharedLimiter,
  type LimitVerdict,
  type Outage,
  type RemoteCounters,
} from '../../src/limits/index.ts';
import { until } from '../gateway/support.ts';
import { demandOf, limitOf } from './fixtures.ts';

const demand = demandOf('client', 'a', limitOf(5, 3_600_000));

/** Counters elsewhere that do as the test says. */
function start(t: TestContext) {
  const behind = createLimiter({ maxKeys: 100 });
  const said: string[] = [];
  const outages: Outage[] = [];
  const state = { ready: true, asked: 0, probes: 0, fault: null as Error | null };
  const remote: RemoteCounters = {
    name: 'elsewhere',
    isReady: () => state.ready,
    isHere: () => false,
    async admit(demands, now) {
      state.asked += 1;
      await sleep(1);
      if (state.fault) throw state.fault;
      return behind.admit(demands, now);
    },
    async probe() {
      state.probes += 1;
      if (state.fault) throw state.fault;
    },
  };
  const limiter = createSharedLimiter({
    remote,
    local: createLimiter({ maxKeys: 100 }),
    clock: systemClock,
    onDown: ({ detail }) => said.push(detail),
    onRecovered: (outage) => outages.push(outage),
  });
  t.after(() => limiter.close());
  const admit = async (whenDown: 'closed' | 'local'): Promise<LimitVerdict> =>
    limiter.admit([demand], 0, whenDown);
  return { state, said, outages, admit };
}

test('one time-out is no outage, two in a row are; then nobody waits', async (t) => {
  const { state, said, admit } = start(t);
  const timedOut = new Error('Command timed out');
  state.fault = timedOut;
  assert.equal((await admit('local')).admitted, true);
  state.fault = null;
  assert.equal((await admit('local')).admitted, true);
  state.fault = timedOut;
  await admit('local');
  assert.deepEqual(said, []);
  await admit('local');
  assert.deepEqual(said, ['Command timed out']);
  const asked = state.asked;
  for (let i = 0; i < 50; i++) await admit('local');
  assert.equal(state.asked, asked);
});

test('closed refuses, local counts, and each says so in the end', async (t) => {
  const { state, outages, admit } = start(t);
  state.ready = false;
  const refused = await admit('closed');
  assert.ok(!refused.admitted && refused.layer === 'store');
  let passed = 0;
  for (let i = 0; i < 20; i++) if ((await admit('local')).admitted) passed += 1;
  assert.equal(passed, 5);
  state.ready = true;
  await until(() => assert.equal(outages.length, 1));
  assert.deepEqual([outages[0]?.local, outages[0]?.refused], [20, 1]);
});

test('attack: an outage gives nobody a second burst, neither when it begins nor when it ends', async (t) => {
  const { state, outages, admit } = start(t);
  for (let i = 0; i < 3; i++) assert.equal((await admit('local')).admitted, true);
  state.ready = false;
  let passed = 0;
  for (let i = 0; i < 10; i++) if ((await admit('local')).admitted) passed += 1;
  assert.equal(passed, 2);
  state.ready = true;
  await until(() => assert.equal(outages.length, 1));
  for (let i = 0; i < 10; i++) assert.equal((await admit('local')).admitted, false);
});

test('attack: the end of an outage is found out by one probe at a time, not by the calls', async (t) => {
  const { state, outages, admit } = start(t);
  state.fault = new Error('READONLY You cannot write against a read only replica.');
  await admit('local');
  const asked = state.asked;
  await Promise.all(Array.from({ length: 500 }, () => admit('closed')));
  assert.equal(state.asked, asked);
  await until(() => assert.ok(state.probes >= 2));
  assert.ok(state.probes <= 4, `${state.probes}`);
  assert.equal(outages.length, 0);
  state.fault = null;
  await until(() => assert.equal(outages.length, 1));
});
