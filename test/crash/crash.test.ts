import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isPostgresInstalled } from '../support/postgres/index.ts';
import { crash } from './crash.ts';
import { databasePlace, lockedPlace, type Place, smallDisk } from './places.ts';

const timeout = 240_000;

async function play(t: TestContext, place: Place): Promise<void> {
  t.after(() => place.close());
  const report = await crash(place, { rounds: place.disturbances.length });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.seen > 0);
}

test('a gateway that is killed, and whose store is locked, leaves a trail of every call', {
  timeout,
}, async (t) => {
  await play(t, await lockedPlace());
});

test('a disk that gets full or read-only does', { timeout }, async (t) => {
  const place = await smallDisk();
  if (place) await play(t, place);
  else t.skip('SKIPPED: nobody may mount a small disk here');
});

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

test('a database that is killed and restarted does', { timeout, skip }, async (t) => {
  await play(t, await databasePlace());
});
