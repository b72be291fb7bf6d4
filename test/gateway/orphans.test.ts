import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { test } from 'node:test';
import { openAuditSource, queryEntries } from '../../src/audit/index.ts';
import { Secret, silentLog, systemClock, timestamp } from '../../src/base/index.ts';
import type { Config } from '../../src/config/index.ts';
import { reportOrphans } from '../../src/gateway/wire-audit.ts';
import { intent, openTrailFor, temporaryDirectory } from '../audit/support.ts';
import { isPostgresInstalled, startPostgres } from '../support/postgres/index.ts';

const hour = 60 * 60_000;

/** Two calls without an outcome, one of them two hours old, by a process of another machine. */
async function callElsewhere(t: Parameters<typeof openTrailFor>[0], more: { postgres?: { url: Secret } }) {
  const dataDir = temporaryDirectory(t);
  const here = os.hostname;
  os.hostname = () => 'elsewhere';
  syncBuiltinESMExports();
  const trail = await openTrailFor(t, dataDir, more);
  os.hostname = here;
  syncBuiltinESMExports();
  await trail.intent(intent({ request_id: 'old', timestamp: timestamp(Date.now() - 2 * hour) }));
  await trail.intent(intent({ request_id: 'new', timestamp: timestamp(Date.now()) }));
  return { dataDir, trail };
}

async function toldOf(dataDir: string, postgres: { url: Secret } | null): Promise<(string | null)[]> {
  const source = await openAuditSource({ dataDir, postgres }, silentLog);
  const told: (string | null)[] = [];
  for await (const { request_id } of queryEntries(source, { event: 'call.orphaned' })) told.push(request_id);
  await source.close();
  return told.sort();
}

test('a start tells of no call that may be running on another machine', async (t) => {
  if (!isPostgresInstalled) return t.skip('PostgreSQL is not installed');
  const server = await startPostgres();
  t.after(() => server.close());
  const postgres = { url: new Secret(server.url) };
  const { dataDir, trail } = await callElsewhere(t, { postgres });
  const parts = { clock: systemClock, log: silentLog };
  await reportOrphans({ data: dataDir, postgres } as Config, trail, parts);
  await trail.flush();
  assert.deepEqual(await toldOf(dataDir, postgres), ['old']);
  await trail.close();
});

test('a trail in a file has no other machine: a container that starts again has another name', async (t) => {
  const { dataDir, trail } = await callElsewhere(t, {});
  await reportOrphans({ data: dataDir, postgres: null } as Config, trail, {
    clock: systemClock,
    log: silentLog,
  });
  await trail.flush();
  assert.deepEqual(await toldOf(dataDir, null), ['new', 'old']);
});
