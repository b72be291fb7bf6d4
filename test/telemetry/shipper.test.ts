import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLog } from '../../src/base/index.ts';
import type { Posted } from '../../src/telemetry/index.ts';
import { Shipper } from '../../src/telemetry/traces/shipper.ts';
import { until } from '../gateway/support.ts';

const taken: Posted = { taken: true, body: '{}' };
const refused = (retry: boolean): Posted => ({ taken: false, retry, afterMs: null, message: 'no' });

function shipper(send: (items: readonly number[]) => Promise<Posted>, rejected = 0) {
  return new Shipper<number>({
    send,
    rejectedOf: () => rejected,
    queue: 16,
    batch: { items: 4, everyMs: 5 },
    log: silentLog,
    random: () => 0,
    firstRetryMs: 1,
  });
}

describe('spans on their way', () => {
  it('wait up to the bound; what comes then is left out and counted, the oldest stay', async () => {
    const sent: number[][] = [];
    let go = (_: Posted) => {};
    const one = shipper((items) => {
      sent.push([...items]);
      return sent.length === 1 ? new Promise((resolve) => (go = resolve)) : Promise.resolve(taken);
    });
    for (let index = 0; index < 1_000; index += 1) one.add(index);
    assert.deepEqual([one.state().waiting, one.state().dropped], [16, 984]);
    await until(() => assert.equal(sent.length, 1));
    go(taken);
    await until(() => assert.equal(one.state().waiting, 0));
    assert.deepEqual(
      sent.flat(),
      Array.from({ length: 16 }, (_, index) => index),
    );
    assert.ok(sent.every(({ length }) => length <= 4));
    one.add(1_000);
    await until(() => assert.equal(one.state().exported, 17));
    await one.close(1_000);
  });

  it('are sent again five times in all, then given up and counted', async () => {
    let requests = 0;
    const one = shipper(() => {
      requests += 1;
      return requests % 2 === 0 ? Promise.resolve(refused(true)) : Promise.reject(new Error('reset'));
    });
    one.add(1);
    await until(() => assert.equal(one.state().failed, 1));
    assert.equal(requests, 5);
    assert.deepEqual(one.state(), { waiting: 0, exported: 0, dropped: 0, failed: 1, failures: 5 });
    await one.close(1_000);
  });

  it('are not sent again when the collector will never take them, or turned some away', async () => {
    let requests = 0;
    const never = shipper(() => {
      requests += 1;
      return Promise.resolve(refused(false));
    });
    never.add(1);
    await until(() => assert.equal(never.state().failed, 1));
    assert.equal(requests, 1);
    const partly = shipper(() => Promise.resolve(taken), 1);
    for (const item of [1, 2, 3]) partly.add(item);
    await until(() => assert.deepEqual([partly.state().exported, partly.state().failed], [2, 1]));
    await Promise.all([never.close(1_000), partly.close(1_000)]);
  });

  it('at the end what waits is sent; what a dead collector keeps waiting is given up within the time, and counted', async () => {
    const sent: number[] = [];
    const good = shipper((items) => {
      sent.push(...items);
      return Promise.resolve(taken);
    });
    for (const item of [1, 2, 3, 4, 5, 6]) good.add(item);
    await good.close(5_000);
    assert.deepEqual(sent, [1, 2, 3, 4, 5, 6]);
    good.add(7);
    assert.equal(good.state().dropped, 1, 'nothing is taken after the end');
    for (const send of [
      () => new Promise<Posted>(() => {}),
      () => Promise.reject<Posted>(new Error('reset')),
    ]) {
      const dead = shipper(send);
      for (let index = 0; index < 16; index += 1) dead.add(index);
      await dead.close(20);
      assert.deepEqual([dead.state().waiting, dead.state().exported], [0, 0]);
      assert.equal(dead.state().failed, 16);
    }
  });
});
