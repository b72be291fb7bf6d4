import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { until } from '../gateway/support.ts';
import { type Fleet, startFleet, storm } from './fleet.ts';

const fleets: Fleet[] = [];
after(() => Promise.all(fleets.map((fleet) => fleet.close())));

async function fleetWith(rest: string): Promise<Fleet> {
  const fleet = await startFleet(rest);
  fleets.push(fleet);
  return fleet;
}

describe('two processes on one data directory', () => {
  it('attack: race for the last call: exactly N pass over 16 connections', async () => {
    const fleet = await fleetWith('limits: { client: 30/h }');
    const members = [await fleet.start(), await fleet.start()];
    const found = await storm(members, await fleet.token(), { connections: 16, each: 6 });
    assert.deepEqual(
      [...found].sort(([a], [b]) => a - b),
      [
        [200, 30],
        [429, 66],
      ],
    );
  });

  it('the other takes over when the one that counts is killed, and knows the budgets', async () => {
    const fleet = await fleetWith('limits: { client: 20/day }');
    const first = await fleet.start();
    const second = await fleet.start();
    const token = await fleet.token();
    assert.equal((await storm([first], token, { connections: 4, each: 2 })).get(200), 8);
    assert.equal((await storm([second], token, { connections: 4, each: 1 })).get(200), 4);
    await new Promise((resolve) => setTimeout(resolve, 1500)); // budgets are written once a second
    await first.kill();
    const found = await storm([second], token, { connections: 8, each: 4 });
    assert.deepEqual([found.get(200), found.get(429)], [8, 24]);
    const third = await fleet.start();
    assert.equal((await third.call(token)).status, 429);
    await second.kill();
    await until(async () => assert.equal((await third.call(token)).status, 429));
  });
});
