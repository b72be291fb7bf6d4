import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import { openAuditSource, queryEntries, verifyAudit } from '../../src/audit/index.ts';
import { readAuditKeys } from '../../src/audit/keys.ts';
import { connectToVerify } from '../../src/audit/verify/postgres-connection.ts';
import { checkInParallel } from '../../src/audit/verify/postgres-parallel.ts';
import { Secret, silentLog } from '../../src/base/index.ts';
import {
  isPostgresInstalled,
  type PostgresServer,
  type PostgresStandby,
  startPostgres,
} from '../support/postgres/index.ts';
import { intent, openTrailFor, record, temporaryDirectory, until } from './support.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

/** One address for whichever server is the first now. */
async function address(t: TestContext, first: string) {
  let target = Number(new URL(first).port);
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  t.after(() => {
    cut();
    listener.close();
  });
  const bound = listener.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  return {
    url: new Secret(`postgres://postgres:none@127.0.0.1:${port}/postgres`),
    /** As an operator's address moves: open connections go. */
    moveTo(url: string) {
      target = Number(new URL(url).port);
      cut();
    },
  };
}

describe('a standby of PostgreSQL', { skip }, () => {
  let server: PostgresServer;
  const standbys: PostgresStandby[] = [];
  before(async () => {
    server = await startPostgres();
  });
  after(async () => {
    for (const standby of standbys) await standby.close();
    await server.close();
  });

  it('is read and verified as it is, refuses calls, and takes them once it is promoted', async (t) => {
    const dataDir = temporaryDirectory(t);
    const place = await address(t, server.url);
    const postgres = { url: place.url };
    const trail = await openTrailFor(t, dataDir, { postgres });
    for (let at = 0; at < 30; at += 1) trail.outcome(record({ request_id: `before-${at}` }));
    await trail.intent(intent({ request_id: 'open' }));
    await trail.sealed();
    const standby = await server.standby();
    standbys.push(standby);

    const there = { dataDir, postgres: { url: new Secret(standby.url) } };
    await until(
      () =>
        standby.sql('SELECT count(*) FROM portcullis.records') ===
        server.sql('SELECT count(*) FROM portcullis.records'),
    );
    assert.deepEqual((await verifyAudit(there)).findings, []);
    const database = await connectToVerify(there.postgres.url, silentLog);
    await database.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const keys = readAuditKeys(dataDir).verifiers;
    const check = await checkInParallel(database, { url: there.postgres.url, keys, stretchRows: 7 });
    await database.close();
    assert.ok(check && check.entries > 30, 'several connections see the same of a standby');
    const source = await openAuditSource(there, silentLog);
    const found = [];
    for await (const { request_id } of queryEntries(source, { requestId: 'before-7' }))
      found.push(request_id);
    await source.close();
    assert.deepEqual(found, ['before-7']);

    await server.kill();
    place.moveTo(standby.url);
    await assert.rejects(trail.intent(intent({ request_id: 'refused' })));
    trail.outcome(record({ request_id: 'open' }));
    standby.promote();
    await until(() => trail.healthy(), 30_000);
    await trail.intent(intent({ request_id: 'after' }));
    trail.outcome(record({ request_id: 'after' }));
    await trail.close();
    const verification = await verifyAudit({ dataDir, postgres });
    assert.deepEqual(verification.findings, []);
    assert.deepEqual(verification.orphans, []);
    assert.equal(standby.sql("SELECT count(*) FROM portcullis.records WHERE request_id = 'refused'"), '0');
  });

  it('one that lacks what was committed takes no call of a gateway that knows of it; verify says what is gone', async (t) => {
    await server.restart();
    const dataDir = temporaryDirectory(t);
    server.sql('DROP SCHEMA IF EXISTS portcullis CASCADE');
    const place = await address(t, server.url);
    const postgres = { url: place.url };
    const trail = await openTrailFor(t, dataDir, { postgres, closeWithinMs: 500 });
    trail.outcome(record());
    await trail.flush();
    const standby = await server.standby();
    standbys.push(standby);
    // From here on it hears nothing.
    standby.sql("ALTER SYSTEM SET primary_conninfo = ''");
    standby.sql('SELECT pg_reload_conf()');
    await until(() => server.sql('SELECT count(*) FROM pg_stat_replication') === '0');
    trail.outcome(record({ request_id: 'gone' }));
    await trail.sealed();
    await server.kill();
    standby.promote();
    place.moveTo(standby.url);
    await assert.rejects(trail.intent(intent()));
    await until(() => standby.sql('SELECT count(*) FROM portcullis.heads WHERE epoch > 1') === '1', 20_000);
    assert.equal(trail.healthy(), false);
    await assert.rejects(trail.intent(intent()));
    await trail.close();
    const next = await openTrailFor(t, dataDir, { postgres });
    await next.intent(intent());
    await next.close();
    const { findings } = await verifyAudit({ dataDir, postgres });
    assert.deepEqual([...new Set(findings.map(({ kind }) => kind))], ['truncated']);
  });
});
