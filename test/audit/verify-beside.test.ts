import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { auditFile, type OpenAuditTrail, removeOld } from '../../src/audit/index.ts';
import { type Clock, systemClock, timestamp } from '../../src/base/index.ts';
import { intent, openTrailFor, record, temporaryDirectory, verify } from './support.ts';

// Verify reads for a while, and others write and remove meanwhile: it must not take that for a change.

const dayMs = 86_400_000;

function daysAgo(days: number): Clock {
  return { now: () => systemClock.now() - days * dayMs, monotonic: systemClock.monotonic };
}

async function call(trail: OpenAuditTrail): Promise<void> {
  const one = intent();
  await trail.intent(one);
  trail.outcome(record({ request_id: one.request_id }));
}

const count = (dataDir: string, sql: string): number => {
  const db = new DatabaseSync(auditFile(dataDir), { readOnly: true });
  const [row] = db.prepare(sql).all();
  db.close();
  return Number(row?.['n']);
};

/** Two runs that are old enough, with calls without an outcome of which the second tells: more rows than one thread reads. */
async function oldTrail(t: TestContext, dataDir: string): Promise<void> {
  const lost: string[] = [];
  const first = await openTrailFor(t, dataDir, { clock: daysAgo(500) });
  for (let left = 18; left > 0; left -= 1) {
    const intents = Array.from({ length: 500 }, () => intent());
    await Promise.all(intents.map((one) => first.intent(one)));
    for (const { request_id } of intents.slice(5)) first.outcome(record({ request_id }));
    lost.push(...intents.slice(0, 5).map(({ request_id }) => request_id));
  }
  await first.close();
  const second = await openTrailFor(t, dataDir, { clock: daysAgo(450) });
  for (const request_id of lost)
    second.event({ timestamp: timestamp(daysAgo(450).now()), event: 'call.orphaned', request_id });
  await second.close();
}

test('beside retention and a gateway, nothing is amiss', async (t) => {
  const dataDir = temporaryDirectory(t);
  await oldTrail(t, dataDir);
  const trail = await openTrailFor(t, dataDir);
  const rows = () => count(dataDir, 'SELECT count(*) AS n FROM records');
  const before = rows();
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      await call(trail);
      await turn();
    }
  })();
  const removing = removeOld(
    { dataDir, postgres: null },
    { keep: { text: '400d', ms: 400 * dayMs }, clock: systemClock, by: 'tester' },
  ).finally(() => {
    isOver = true;
  });
  let verified = 0;
  try {
    while (!isOver) {
      assert.deepEqual((await verify(dataDir)).findings, []);
      verified += 1;
      await turn(); // a short trail is read without one
    }
  } finally {
    await removing;
    await writing;
  }
  t.diagnostic(`verified ${verified} times while ${before} rows became ${rows()}`);
  assert.ok(rows() < before && verified > 1);
  assert.deepEqual((await verify(dataDir)).findings, []);
});
