import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { after, before, describe, it, type TestContext, test } from 'node:test';
import { openAuditSource, queryEntries } from '../../src/audit/index.ts';
import { type Log, Secret, silentLog, systemClock, timestamp } from '../../src/base/index.ts';
import type { Config } from '../../src/config/index.ts';
import { reportOrphans } from '../../src/gateway/orphans.ts';
import { intent, listeningLog, openTrailFor, record, temporaryDirectory, until } from '../audit/support.ts';
import {
  isPostgresInstalled,
  type PostgresServer,
  startPooler,
  startPostgres,
} from '../support/postgres/index.ts';

const hour = 60 * 60_000;

/** Two calls without an outcome, one of them two hours old, by a process of another machine. */
async function callElsewhere(
  t: Parameters<typeof openTrailFor>[0],
  more: { postgres?: { url: Secret }; log?: Log },
) {
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

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';
const around = { clock: systemClock, log: silentLog, watchMs: 1_500 };

describe('calls of other machines, in PostgreSQL', { skip }, () => {
  let server: PostgresServer;
  let made = 0;
  before(async () => {
    server = await startPostgres(['fsync=off']);
  });
  after(() => server.close());

  function place() {
    made += 1;
    const name = `orphans${made}`;
    const postgres = { url: new Secret(server.database(name)) };
    /** By that writer, or by anybody: each gateway that a test starts holds a lock of its own. */
    const isHeld = (writer = '%') =>
      server.sql(
        `SELECT count(*) FROM pg_locks JOIN portcullis.writers ON writers.id = objid
         WHERE locktype = 'advisory' AND objsubid = 2 AND writer LIKE '${writer}'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        name,
      ) !== '0';
    const sql = (text: string) => server.sql(text, name);
    const isWatched = () => sql('SELECT count(*) FROM portcullis.heads WHERE watched') !== '0';
    return { name, postgres, isHeld, isWatched, sql };
  }

  /** A gateway elsewhere starts. @returns of which calls it tells at once, and after its second look */
  async function start(t: TestContext, postgres: { url: Secret }, between?: () => void) {
    const dataDir = temporaryDirectory(t);
    const trail = await openTrailFor(t, dataDir, { postgres });
    const watchMs = between ? 6_000 : around.watchMs; // what comes in between has to reach a server that has just started
    const watch = await reportOrphans({ data: dataDir, postgres } as Config, trail, { ...around, watchMs });
    await trail.flush();
    const first = await toldOf(dataDir, postgres);
    between?.();
    await watch.done;
    await trail.flush();
    return [first, await toldOf(dataDir, postgres)];
  }

  it('of a process that lives none is told, however old its call is', async (t) => {
    const { postgres, isHeld } = place();
    await callElsewhere(t, { postgres });
    await until(() => isHeld());
    assert.deepEqual(await start(t, postgres), [[], []]);
  });

  it('of one that has died all are told at the second look, and once', async (t) => {
    const { postgres, isHeld, isWatched } = place();
    const { trail } = await callElsewhere(t, { postgres });
    await until(isWatched);
    await trail.close();
    assert.equal(isHeld(), false);
    assert.deepEqual(await start(t, postgres), [[], ['new', 'old']]);
    const again = await start(t, postgres);
    assert.deepEqual(again[1], ['new', 'old']);
  });

  it('a process whose connection was cut takes its lock again, and none of its calls is told', async (t) => {
    const { postgres, isHeld, isWatched } = place();
    const { trail } = await callElsewhere(t, { postgres });
    await until(isWatched);
    await server.restart();
    assert.equal(isHeld(), false);
    const told = await start(t, postgres, () => {
      trail.outcome(record({ request_id: 'another' }));
    });
    assert.deepEqual(told, [[], []], 'what it writes meanwhile says that it lives');
    await until(() => isHeld(trail.writer), 20_000);
    assert.deepEqual(await start(t, postgres), [[], []]);
  });

  it('of one that nobody ever saw only those are told that are an hour old', async (t) => {
    const { postgres, isWatched, sql } = place();
    const { trail } = await callElsewhere(t, { postgres });
    await until(isWatched);
    await trail.close();
    sql('UPDATE portcullis.heads SET watched = false');
    assert.deepEqual(await start(t, postgres), [['old'], ['old']]);
  });

  it('a pooler between them holds no lock in the name of anybody', async (t) => {
    const pooler = await startPooler(t, server.url);
    if (!pooler) return t.skip('SKIPPED: no pgbouncer on this machine (apt-get install pgbouncer)');
    const { name, isHeld, sql } = place();
    sql(`ALTER DATABASE ${name} SET search_path = portcullis`);
    const postgres = { url: new Secret(pooler.url(name)) };
    const { log, said } = listeningLog();
    await callElsewhere(t, { postgres, log });
    await until(() => said.some(({ message }) => message.includes('behind a pooler')));
    assert.equal(isHeld(), false);
    assert.deepEqual(await start(t, postgres), [['old'], ['old']]);
  });
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
