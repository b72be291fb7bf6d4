import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { isPostgresInstalled } from '../support/postgres/index.ts';
import { crash } from './crash.ts';
import { databasePlace, lockedPlace, type Place, smallDisk } from './places.ts';

// One round each: everything that goes wrong in a place, then the death. `npm run test:crash` plays many.

const timeout = 240_000;

async function play(t: TestContext, place: Place): Promise<void> {
  t.after(() => place.close());
  const all = Object.assign({}, ...place.disturbances);
  const report = await crash({ ...place, disturbances: [all] }, { rounds: 1 });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.seen > 0);
}

describe('a gateway that is killed leaves a trail of every call and every answer', {
  concurrency: 3,
  timeout,
}, () => {
  it('after its store was locked', async (t) => {
    await play(t, await lockedPlace(1_500));
  });

  it('after its disk was read-only, and full', async (t) => {
    const place = await smallDisk();
    if (place) await play(t, place);
    else t.skip('SKIPPED: nobody may mount a small disk here');
  });

  const skip = isPostgresInstalled
    ? false
    : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

  it('after its database was killed and restarted', { skip }, async (t) => {
    await play(t, await databasePlace());
  });
});
