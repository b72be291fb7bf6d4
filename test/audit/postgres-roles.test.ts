import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { openAuditSource, queryEntries, removeOld, verifyAudit } from '../../src/audit/index.ts';
import { pgAuditMigrations } from '../../src/audit/postgres-schema.ts';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import { connectPostgres, migratePostgres } from '../../src/store/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from './support.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

const dayMs = 86_400_000;

/** The statements that docs/deployment.md tells an operator to run. */
function grantsInDocs(): string {
  const page = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8');
  const block = /```sql\n([^`]*portcullis_auditor[^`]*)```/.exec(page)?.[1];
  assert.ok(block, 'docs/deployment.md has the statements');
  return block;
}

describe('the trail in PostgreSQL, by users who may not do everything', { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres(['fsync=off']);
    server.sql(
      'CREATE ROLE portcullis_owner LOGIN; CREATE ROLE portcullis_writer LOGIN; CREATE ROLE portcullis_auditor LOGIN',
    );
  });
  after(() => server.close());

  function place(name: string) {
    const url = server.database(name);
    server.sql(`GRANT CREATE ON DATABASE ${name} TO portcullis_owner`);
    const as = (role: string) => ({ url: new Secret(url.replace('postgres:none', `${role}:none`)) });
    const sqlAs = (role: string, text: string) => server.sql(`SET ROLE ${role}; ${text}`, name);
    return { as, sqlAs, sql: (text: string) => server.sql(text, name) };
  }

  it('a gateway that may only append does all that it has to, and nothing else', async (t) => {
    const { as, sqlAs, sql } = place('least');
    const dataDir = temporaryDirectory(t);
    await (await openTrailFor(t, dataDir, { postgres: as('portcullis_owner') })).close();
    sql(`SET ROLE portcullis_owner; ${grantsInDocs()}`);
    sql(`SET ROLE portcullis_owner; DROP TABLE portcullis.records_${nextMonths()[1]}`);
    const trail = await openTrailFor(t, dataDir, { postgres: as('portcullis_writer') });
    await trail.intent(intent({ request_id: 'one' }));
    for (let at = 0; at < 21_000; at += 1)
      trail.outcome(record({ request_id: at === 0 ? 'one' : `other-${at}` }));
    await trail.flush();
    await trail.close();
    assert.equal(
      sql(`SELECT to_regclass('portcullis.records_${nextMonths()[1]}') IS NOT NULL`),
      't',
      'it makes partitions',
    );
    const summarised = () =>
      sql(
        `SELECT pg_relation_size(inhrelid) > 32768 FROM pg_inherits WHERE inhparent = 'portcullis.records_values'::regclass ORDER BY 1 DESC LIMIT 1`,
      );
    assert.equal(summarised(), 't', 'and brings the index up to date');
    for (const statement of [
      'UPDATE portcullis.records SET entry = $$x$$',
      'DELETE FROM portcullis.records',
      'TRUNCATE portcullis.records',
      'ALTER TABLE portcullis.records DISABLE TRIGGER ALL',
      'UPDATE portcullis.writers SET writer = $$x$$',
      'INSERT INTO portcullis.removals SELECT id, 1, $$x$$ FROM portcullis.writers',
      'DROP TABLE portcullis.records',
      'DELETE FROM portcullis.heads',
    ]) {
      assert.throws(() => sqlAs('portcullis_writer', statement), statement);
    }
  });

  /** Old entries of a gateway that has ended, one open call among new ones, and a gateway that may only append and wants them gone. */
  async function aged(t: TestContext, name: string) {
    const { as, sql } = place(name);
    const dataDir = temporaryDirectory(t);
    const ago = (days: number) => ({
      now: () => systemClock.now() - days * dayMs,
      monotonic: systemClock.monotonic,
    });
    for (const days of [500, 450, 10]) {
      const postgres = as('portcullis_owner');
      const trail = await openTrailFor(t, dataDir, { postgres, clock: ago(days) });
      for (let at = 0; at < 5; at += 1) trail.outcome(record({ subject: `user-${days}` }));
      await trail.close();
    }
    // The server's own time of each append, as it would have been.
    const months = sql(
      `SELECT string_agg(DISTINCT to_char(day::timestamptz, 'YYYYMM'), ' ') FROM unnest(ARRAY[now() - interval '500 days', now() - interval '450 days']) AS day`,
    );
    for (const month of months.split(' ')) {
      const start = `${month.slice(0, 4)}-${month.slice(4)}-01 00:00:00+00`;
      sql(`DO $$ BEGIN EXECUTE format('CREATE TABLE portcullis.records_${month} PARTITION OF portcullis.records FOR VALUES FROM (%L) TO (%L)',
        '${start}'::timestamptz, '${start}'::timestamptz + interval '1 month'); END $$; ALTER TABLE portcullis.records_${month} OWNER TO portcullis_owner`);
    }
    for (const [writer, days] of [500, 450].entries())
      sql(
        `SET session_replication_role = replica; UPDATE portcullis.records SET at = at - interval '${days} days' WHERE writer = ${writer + 1}`,
      );
    sql(`SET ROLE portcullis_owner; ${grantsInDocs()}`);
    const store = { dataDir, postgres: as('portcullis_writer') };
    const keep = (days: number) => ({
      keep: { text: `${days}d`, ms: days * dayMs },
      clock: systemClock,
      by: 'tester',
    });
    const left = (days: number) =>
      sql(`SELECT count(*) FROM portcullis.records WHERE subject = 'user-${days}'`);
    const letGo = (after: string) =>
      sql(`SET ROLE portcullis_owner; INSERT INTO portcullis.retention (least) VALUES ('${after}')`);
    return { store, sql, keep, left, letGo, months: months.split(' ') };
  }

  it('a gateway that may only append removes what is old, as far as the owner lets it', async (t) => {
    const { store, sql, keep, left, letGo, months } = await aged(t, 'kept');
    await assert.rejects(removeOld(store, keep(400)), /the owner of the audit log has not said how long/);
    assert.deepEqual([left(500), left(450), left(10)], ['5', '5', '5']);
    letGo('470 days');
    await assert.rejects(removeOld(store, keep(400)), /younger than/);
    assert.deepEqual([left(450), left(10)], ['5', '5'], 'what is younger than the owner says stays');
    sql("SET ROLE portcullis_owner; UPDATE portcullis.retention SET least = '400 days'");
    await removeOld(store, keep(400));
    assert.deepEqual([left(500), left(450), left(10)], ['0', '0', '5']);
    // The end of the second chain is named by none that is old enough: its last checkpoint stays, and its month.
    const isGone = (month: string) => sql(`SELECT to_regclass('portcullis.records_${month}') IS NULL`);
    assert.deepEqual(months.map(isGone), ['t', 'f']);
    assert.deepEqual((await verifyAudit(store)).findings, []);
  });

  it('and whoever has only its rights, and writes what it likes, removes nothing else', async (t) => {
    const { store, sql, left, letGo } = await aged(t, 'forged');
    const client = new pg.Client({ connectionString: store.postgres.url.reveal() });
    await client.connect();
    t.after(() => client.end());
    letGo('400 days');
    const forge = (through: number, more = '') => `
      INSERT INTO portcullis.records (at, writer, position, entry, hash, phase, timestamp, event)
        SELECT now(), 3, 900 + ${through}, json_build_object('data', json_build_object('through', '${through}', 'writer', writer))::text, '\\x00', 'event', '', 'audit.removed'
        FROM portcullis.writers WHERE id = 3; ${more}
      SELECT portcullis.release((SELECT writer FROM portcullis.writers WHERE id = 3), ${through},
        (SELECT hash FROM portcullis.records WHERE writer = 3 AND position = ${through} LIMIT 1))`;
    /** As if the entry there were old. */
    const aged4 = `INSERT INTO portcullis.records (at, writer, position, entry, hash, phase, timestamp)
      SELECT now() - interval '500 days', 3, 4, entry, hash, phase, timestamp FROM portcullis.records WHERE writer = 3 AND position = 4;`;
    for (const statement of [
      forge(4),
      forge(4, aged4),
      "INSERT INTO portcullis.retention (least) VALUES ('1 day')",
      "UPDATE portcullis.retention SET least = '1 day'",
      'DELETE FROM portcullis.records',
      'DELETE FROM portcullis.removals',
      "CREATE FUNCTION portcullis.may_go_before() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity' $$",
      'CREATE TABLE portcullis.records_200001 (x int)',
    ]) {
      await assert.rejects(client.query(statement), statement);
    }
    // What is released rightly takes along nothing that is not old, whatever stands at its positions.
    sql(`SET session_replication_role = replica; INSERT INTO portcullis.removals SELECT 3, 100, '\\x00'`);
    // Names of the attacker's own come first for nobody else.
    await client.query(
      `CREATE TEMP TABLE records (x int); CREATE TEMP TABLE removals (x int);
      CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz $$;
      SET search_path = pg_temp, pg_catalog; SELECT portcullis.remove_some(); SELECT portcullis.drop_empty()`,
    );
    assert.equal(left(10), '5');
    assert.equal(sql('SELECT count(*) > 0 FROM portcullis.records WHERE writer = 3'), 't');
  });

  it('an auditor reads and verifies, and changes nothing', async (t) => {
    const { as, sqlAs, sql } = place('auditor');
    const dataDir = temporaryDirectory(t);
    const trail = await openTrailFor(t, dataDir, { postgres: as('portcullis_owner') });
    trail.outcome(record({ request_id: 'one' }));
    await trail.close();
    sql(`SET ROLE portcullis_owner; ${grantsInDocs()}`);
    const store = { dataDir, postgres: as('portcullis_auditor') };
    const source = await openAuditSource(store, silentLog);
    t.after(() => source.close());
    const found = [];
    for await (const { request_id } of queryEntries(source)) found.push(request_id);
    assert.deepEqual(found, ['one']);
    assert.deepEqual((await verifyAudit(store)).findings, []);
    for (const statement of [
      'INSERT INTO portcullis.open_calls VALUES ($$x$$)',
      'DELETE FROM portcullis.records',
      'UPDATE portcullis.heads SET position = 0',
      'SELECT portcullis.prepare()',
    ]) {
      assert.throws(() => sqlAs('portcullis_auditor', statement), statement);
    }
  });

  it('a database of an older version is brought up to date in place, with all that it says', async (t) => {
    const [made, old] = [place('made'), place('old')];
    const dataDir = temporaryDirectory(t);
    const first = await openTrailFor(t, dataDir, { postgres: made.as('postgres') });
    await first.intent(intent({ request_id: 'open' }));
    for (let at = 0; at < 50; at += 1)
      first.outcome(record({ request_id: `r${at}`, subject: `user-${at % 5}` }));
    await first.close();
    const database = await connectPostgres({
      ...old.as('postgres'),
      log: silentLog,
      connections: 1,
      statementMs: 30_000,
    });
    t.after(() => database.close());
    await migratePostgres(database, { ...pgAuditMigrations, steps: pgAuditMigrations.steps.slice(0, 2) });
    const [month, after] = nextMonths();
    const bounds = [month, after].map((one) => `${one?.slice(0, 4)}-${one?.slice(4)}-01 00:00:00+00`);
    old.sql(
      `CREATE TABLE portcullis.records_${month} PARTITION OF portcullis.records FOR VALUES FROM ('${bounds[0]}') TO ('${bounds[1]}')`,
    );
    for (const table of ['writers', 'heads', 'records', 'open_calls']) {
      const rows = made.sql(`SELECT json_agg(t) FROM portcullis.${table} t`);
      old.sql(`INSERT INTO portcullis.${table} OVERRIDING SYSTEM VALUE
        SELECT * FROM json_populate_recordset(null::portcullis.${table}, $rows$${rows}$rows$)`);
    }
    old.sql(
      `SELECT setval(pg_get_serial_sequence('portcullis.writers', 'id'), 1); SELECT setval('portcullis.records_seq', 1000)`,
    );
    const second = await openTrailFor(t, dataDir, { postgres: old.as('postgres') });
    second.outcome(record({ request_id: 'after', subject: 'user-1' }));
    await second.close();
    const store = { dataDir, postgres: old.as('postgres') };
    const verification = await verifyAudit(store);
    assert.deepEqual(verification.findings, []);
    assert.deepEqual(
      verification.orphans.map(({ requestId }) => requestId),
      ['open'],
    );
    const source = await openAuditSource(store, silentLog);
    t.after(() => source.close());
    const found = [];
    for await (const { request_id } of queryEntries(source, { subject: 'user-1' })) found.push(request_id);
    assert.equal(found.length, 11);
    assert.equal(found[0], 'after');
  });

  it('a month of which nothing is left goes with its partition; one with anything in it stays', async (t) => {
    const { as, sql } = place('months');
    const dataDir = temporaryDirectory(t);
    const clock = { now: () => systemClock.now() - 500 * 86_400_000, monotonic: systemClock.monotonic };
    await (await openTrailFor(t, dataDir, { postgres: as('postgres'), clock })).close();
    const past = (month: string, next: string) =>
      sql(`CREATE TABLE portcullis.records_${month} PARTITION OF portcullis.records
        FOR VALUES FROM ('${month.slice(0, 4)}-${month.slice(4)}-01 00:00:00+00') TO ('${next.slice(0, 4)}-${next.slice(4)}-01 00:00:00+00')`);
    past('202001', '202002');
    past('202002', '202003');
    sql(`INSERT INTO portcullis.writers (writer) VALUES ('of-old');
      INSERT INTO portcullis.records (at, writer, position, entry, hash, phase, timestamp)
      SELECT '2020-02-03', id, 1, '{}', $$x$$, 'event', '2020-02-03T00:00:00.000Z' FROM portcullis.writers WHERE writer = 'of-old'`);
    const ask = { keep: { text: '400d', ms: 400 * 86_400_000 }, clock: systemClock, by: 'tester' };
    await removeOld({ dataDir, postgres: as('postgres') }, ask);
    const there = (name: string) => sql(`SELECT to_regclass('portcullis.records_${name}') IS NOT NULL`);
    assert.deepEqual([there('202001'), there('202002'), there(nextMonths()[0] ?? '')], ['f', 't', 't']);
  });
});

/** This month and the next, as partitions are named. */
function nextMonths(): string[] {
  const now = new Date(systemClock.now());
  return [0, 1].map((ahead) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead))
      .toISOString()
      .slice(0, 7)
      .replace('-', ''),
  );
}
