import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Clock, OperationError, silentLog, systemClock } from '../../src/base/index.ts';
import {
  openStopFile,
  openStops,
  type Stop,
  type StopPlace,
  type Stops,
  stopsFile,
} from '../../src/stops/index.ts';
import { until } from '../gateway/support.ts';

const call = { server: 'notes', tool: 'x', issuer: 'https://a', clientId: 'c', organization: 'acme' };
const resumed = { by: 'me', at: 2 };

function stopOf(id: string, more: Partial<Stop> = {}): Stop {
  const target = { kind: 'client', name: 'c', server: null, issuer: null } as const;
  return { ...target, id, reason: null, by: 'me', at: 1, resumed: null, ...more };
}

function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'portcullis-stops-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

interface Opened {
  readonly dir: string;
  readonly shared?: StopPlace;
  readonly clock?: Clock;
}

async function opened(t: TestContext, { dir, shared, clock = systemClock }: Opened): Promise<Stops> {
  const stops = await openStops({ file: openStopFile(dir), shared: shared ?? null, clock, log: silentLog });
  t.after(() => stops.close());
  return stops;
}

/** As another process would. */
async function write(dir: string, stop: Stop): Promise<void> {
  const file = openStopFile(dir);
  await file.merge([stop]);
  await file.close();
}

const isStopped = (stops: Stops): void => assert.equal((stops.find(call) as Stop | null)?.name, 'c');

describe('the file of stops', () => {
  it('takes up what another process wrote, and lets go what it resumed', async (t) => {
    const dir = directory(t);
    const stops = await opened(t, { dir });
    assert.equal(stops.find(call), null);
    await write(dir, stopOf('1'));
    await until(() => isStopped(stops), 1000);
    await write(dir, stopOf('1', { resumed }));
    await until(() => assert.equal(stops.find(call), null), 1000);
  });

  it('holds over a restart', async (t) => {
    const dir = directory(t);
    await write(dir, stopOf('1'));
    isStopped(await opened(t, { dir }));
  });

  it('does not go back from resumed: an old copy that comes late changes nothing', async (t) => {
    const dir = directory(t);
    await write(dir, stopOf('1'));
    await write(dir, stopOf('1', { resumed }));
    await write(dir, stopOf('1'));
    assert.equal((await opened(t, { dir })).find(call), null);
  });

  it('is not lifted by removing the file: what was known is written to the new one', async (t) => {
    const dir = directory(t);
    await write(dir, stopOf('1'));
    const stops = await opened(t, { dir });
    for (const end of ['', '-wal', '-shm']) unlinkSync(stopsFile(dir) + end);
    await until(async () => {
      const file = openStopFile(dir);
      const found = await file.read().finally(() => file.close());
      assert.equal(found.stops.length, 1);
    });
    isStopped(stops);
  });

  it('fails closed when the file is destroyed, and recovers by its being removed, with nothing lifted', async (t) => {
    const dir = directory(t);
    await write(dir, stopOf('1'));
    const stops = await opened(t, { dir });
    truncateSync(stopsFile(dir), 100);
    writeFileSync(stopsFile(dir), 'this is no database, and was written by something else'.repeat(200));
    await until(() => assert.equal(stops.find({ ...call, clientId: 'somebody else' }), 'unknown'));
    for (const end of ['', '-wal', '-shm']) rmSync(stopsFile(dir) + end, { force: true });
    await until(() => assert.equal(stops.find({ ...call, clientId: 'somebody else' }), null));
    isStopped(stops);
  });

  it('does not start on a file that cannot be read', async (t) => {
    const dir = directory(t);
    writeFileSync(stopsFile(dir), 'this is no database'.repeat(500));
    await assert.rejects(opened(t, { dir }), (error: unknown) => {
      assert.ok(error instanceof OperationError);
      assert.match(error.message, /kill switch cannot be read/);
      return true;
    });
  });

  it('does not take a row that it cannot read for none', async (t) => {
    const dir = directory(t);
    await write(dir, { ...stopOf('1'), kind: 'tenant' as 'client' });
    await assert.rejects(opened(t, { dir }), /a stop cannot be read/);
  });

  it('goes by no clock of the wall: steps of years change nothing', async (t) => {
    const dir = directory(t);
    let now = Date.now();
    const clock: Clock = { now: () => now, monotonic: systemClock.monotonic };
    const stops = await opened(t, { dir, clock });
    now -= 20 * 365 * 86_400_000;
    await write(dir, stopOf('1', { at: now + 86_400_000 }));
    await until(() => isStopped(stops), 1000);
    now += 80 * 365 * 86_400_000;
    await write(dir, stopOf('2', { name: 'd' }));
    await until(() => assert.notEqual(stops.find({ ...call, clientId: 'd' }), null), 1000);
    isStopped(stops);
  });
});

/** What replicas share, in memory: it can be away, hang, and lose everything. */
function sharedPlace(): StopPlace & { stops: Map<string, Stop>; state: 'up' | 'down' | 'hangs' } {
  const place = {
    name: 'shared',
    stops: new Map<string, Stop>(),
    state: 'up' as 'up' | 'down' | 'hangs',
    async read() {
      if (place.state === 'hangs') await new Promise(() => {});
      if (place.state === 'down') throw new Error('down');
      return { stops: [...place.stops.values()], damage: null };
    },
    async merge(stops: readonly Stop[]) {
      if (place.state !== 'up') throw new Error('down');
      for (const stop of stops) place.stops.set(stop.id, stop);
    },
    async close() {},
  };
  return place;
}

describe('a place that replicas share', () => {
  it('carries stops and resumptions between data directories', async (t) => {
    const shared = sharedPlace();
    const [one, two] = [directory(t), directory(t)];
    const gateways = [await opened(t, { dir: one, shared }), await opened(t, { dir: two, shared })];
    await write(one, stopOf('1'));
    for (const stops of gateways) await until(() => isStopped(stops), 1000);
    await write(two, stopOf('1', { resumed }));
    for (const stops of gateways) await until(() => assert.equal(stops.find(call), null), 1000);
  });

  it('lifts nothing by being away, nor by losing what it had', async (t) => {
    const shared = sharedPlace();
    const dir = directory(t);
    shared.stops.set('1', stopOf('1'));
    const stops = await opened(t, { dir, shared });
    isStopped(stops);
    shared.state = 'down';
    await new Promise((resolve) => setTimeout(resolve, 500)); // some looks at it
    isStopped(stops);
    shared.stops.clear();
    shared.state = 'up';
    await until(() => assert.ok(shared.stops.has('1')), 1000);
    isStopped(stops);
  });

  it('that is away at start does not lift what it said before the restart', async (t) => {
    const shared = sharedPlace();
    const dir = directory(t);
    shared.stops.set('1', stopOf('1'));
    const before = await openStops({
      file: openStopFile(dir),
      shared,
      clock: systemClock,
      log: silentLog,
    });
    await until(async () => {
      const file = openStopFile(dir);
      assert.equal((await file.read()).stops.length, 1);
      await file.close();
    });
    await before.close();
    shared.state = 'down';
    isStopped(await opened(t, { dir, shared }));
  });
});
