import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type AuditStore,
  type AuditTrailOptions,
  type OpenAuditTrail,
  openAuditSource,
  removeOld,
  verifyAudit,
} from '../../src/audit/index.ts';
import { type Clock, Secret, silentLog, systemClock, timestamp } from '../../src/base/index.ts';
import { isPostgresInstalled, startPostgres } from '../support/postgres/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from './support.ts';

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

async function rowsIn(store: AuditStore): Promise<number> {
  const source = await openAuditSource(store, silentLog);
  const [row] = await source.run({ sql: 'SELECT count(*) AS n FROM records', parameters: {} });
  await source.close();
  return Number(row?.['n']);
}

type Open = (options?: Partial<AuditTrailOptions>) => Promise<OpenAuditTrail>;

/** Two runs that are old enough, with calls without an outcome of which the second tells: more rows than one thread reads. */
async function writeOld(open: Open): Promise<void> {
  const lost: string[] = [];
  const first = await open({ clock: daysAgo(500) });
  for (let left = 18; left > 0; left -= 1) {
    const intents = Array.from({ length: 500 }, () => intent());
    await Promise.all(intents.map((one) => first.intent(one)));
    for (const { request_id } of intents.slice(5)) first.outcome(record({ request_id }));
    lost.push(...intents.slice(0, 5).map(({ request_id }) => request_id));
  }
  await first.close();
  const second = await open({ clock: daysAgo(450) });
  for (const request_id of lost)
    second.event({ timestamp: timestamp(daysAgo(450).now()), event: 'call.orphaned', request_id });
  await second.close();
}

/** Verifies as long as rows are removed, while a gateway writes. */
async function verifyBeside(t: TestContext, store: AuditStore): Promise<void> {
  const open: Open = (options) => openTrailFor(t, store.dataDir, { ...options, postgres: store.postgres });
  await writeOld(open);
  const trail = await open();
  const before = await rowsIn(store);
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      await call(trail);
      await turn();
    }
  })();
  const keep = { text: '400d', ms: 400 * dayMs };
  const removing = removeOld(store, { keep, clock: systemClock, by: 'tester' }).finally(() => {
    isOver = true;
  });
  let verified = 0;
  let beside = 0;
  try {
    while (!isOver) {
      const there = await rowsIn(store);
      assert.deepEqual((await verifyAudit(store)).findings, []);
      verified += 1;
      if ((await rowsIn(store)) < there) beside += 1;
      await turn(); // a short trail is read without one
    }
  } finally {
    await removing;
    await writing;
  }
  const after = await rowsIn(store);
  t.diagnostic(`verified ${verified} times while ${before} rows became ${after}`);
  // Rows went away while they were read; how often depends on the machine.
  assert.ok(after < before && beside > 0);
  assert.deepEqual((await verifyAudit(store)).findings, []);
}

test('beside retention and a gateway, nothing is amiss', (t) =>
  verifyBeside(t, { dataDir: temporaryDirectory(t), postgres: null }));

const skip = !isPostgresInstalled && 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

test('nor in PostgreSQL', { skip }, async (t) => {
  const server = await startPostgres(['fsync=off']);
  t.after(() => server.close());
  await verifyBeside(t, { dataDir: temporaryDirectory(t), postgres: { url: new Secret(server.url) } });
});
