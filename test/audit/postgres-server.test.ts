import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import {
  type AuditStore,
  type OpenAuditTrail,
  openAuditSource,
  queryEntries,
  verifyAudit,
} from '../../src/audit/index.ts';
import { pgAuditMigrations } from '../../src/audit/postgres-schema.ts';
import { Secret, silentLog } from '../../src/base/index.ts';
import { connectPostgres, migratePostgres } from '../../src/store/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { intent, openTrailFor, record, temporaryDirectory, until } from './support.ts';

// Servers that somebody has set in another way than PostgreSQL comes.

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';
const odd = 'é 漢字 😀 \\ "quoted" \u0000 $$ \'';

describe('PostgreSQL as somebody has set it', { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres(['fsync=off']);
  });
  after(() => server.close());

  function place(t: TestContext, name: string, more = '') {
    server.sql(`CREATE DATABASE ${name} TEMPLATE template0 ${more}`);
    const url = server.url.replace(/postgres$/, name);
    const store: AuditStore = { dataDir: temporaryDirectory(t), postgres: { url: new Secret(url) } };
    return { url, store, sql: (text: string) => server.sql(text, name) };
  }

  async function worksAsEver(t: TestContext, store: AuditStore): Promise<void> {
    const trail = await openTrailFor(t, store.dataDir, { postgres: store.postgres });
    await trail.intent(intent({ request_id: 'one', subject: odd }));
    trail.outcome(record({ request_id: 'one', subject: odd, latency_ms: 0.125 }));
    trail.outcome(record({ subject: 'b' }));
    trail.outcome(record({ subject: 'A' }));
    await trail.close();
    const source = await openAuditSource(store, silentLog);
    t.after(() => source.close());
    const found = [];
    for await (const entry of queryEntries(source, { requestId: 'one' }))
      found.push([String(entry.subject).slice(0, 8), 'latency_ms' in entry && entry.latency_ms]);
    assert.deepEqual(found, [[odd.slice(0, 8), 0.125]]);
    assert.deepEqual((await verifyAudit(store)).findings, []);
  }

  for (const encoding of ['LATIN1', 'SQL_ASCII']) {
    it(`a database in ${encoding} is refused at the start, not by the first name that it cannot write`, async (t) => {
      const { store } = place(
        t,
        encoding.toLowerCase(),
        `ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
      );
      await assert.rejects(openTrailFor(t, store.dataDir, { postgres: store.postgres }), /ENCODING 'UTF8'/);
    });
  }

  it('a database in another order of letters works as ever', async (t) => {
    const { store } = place(
      t,
      'ordered',
      `ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE' LOCALE 'C.UTF-8'`,
    );
    await worksAsEver(t, store);
  });

  it('several replicas bring a database of an older version up to date at the same moment', async (t) => {
    for (let version = 0; version < pgAuditMigrations.steps.length; version += 1) {
      const { store, sql, url } = place(t, `version${version}`);
      const database = await connectPostgres({
        url: new Secret(url),
        log: silentLog,
        connections: 1,
        statementMs: 30_000,
      });
      await migratePostgres(database, {
        ...pgAuditMigrations,
        steps: pgAuditMigrations.steps.slice(0, version),
      });
      await database.close();
      const { postgres } = store;
      const trails = await Promise.all(
        Array.from({ length: 3 }, () => openTrailFor(t, store.dataDir, { postgres })),
      );
      await Promise.all(trails.map((trail) => trail.intent(intent())));
      await Promise.all(trails.map((trail) => trail.close()));
      assert.equal(
        sql("SELECT version FROM portcullis.migrations WHERE name = 'audit'"),
        String(pgAuditMigrations.steps.length),
      );
      assert.deepEqual((await verifyAudit(store)).findings, []);
    }
  });

  it('settings of the database and of the user change nothing', async (t) => {
    const { store } = place(t, 'settings');
    // Said in another database: the first of them would stop the next.
    for (const setting of [
      "statement_timeout = '1ms'",
      "idle_in_transaction_session_timeout = '2s'",
      "idle_session_timeout = '200ms'",
      "lock_timeout = '5s'",
      "DateStyle = 'SQL, DMY'",
      "IntervalStyle = 'sql_standard'",
      "TimeZone = 'Asia/Kolkata'",
      "bytea_output = 'escape'",
      'extra_float_digits = -3',
      'standard_conforming_strings = off',
      "search_path = 'nowhere'",
      'enable_indexscan = off',
      'synchronous_commit = off',
      "client_encoding = 'LATIN1'",
    ])
      server.sql(`ALTER DATABASE settings SET ${setting}`);
    await worksAsEver(t, store);
  });

  it('a database that is for reading by default takes no call, and says why', async (t) => {
    const { store } = place(t, 'reading');
    server.sql('ALTER DATABASE reading SET default_transaction_read_only = on');
    const open = () => openTrailFor(t, store.dataDir, { postgres: store.postgres });
    await assert.rejects(open(), /read-only transaction/);
    server.sql('ALTER DATABASE reading SET default_transaction_read_only = off');
    const trail = await open();
    await trail.intent(intent());
    // From now on for all new connections, and the old ones go.
    server.sql('ALTER DATABASE reading SET default_transaction_read_only = on');
    server.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'reading' AND pid <> pg_backend_pid()",
    );
    await assert.rejects(refused(trail));
    assert.equal(trail.healthy(), false);
    server.sql('ALTER DATABASE reading SET default_transaction_read_only = off');
    await until(() => trail.healthy(), 20_000);
    await trail.intent(intent());
    await trail.close();
    assert.deepEqual((await verifyAudit(store)).findings, []);
  });

  it('a password of any characters', async (t) => {
    const { url, store, sql } = place(t, 'passwords');
    const password = `p@ss:w/rd?#[]%20&= '"\\$é`;
    sql(`CREATE ROLE odd LOGIN SUPERUSER PASSWORD $odd$${password}$odd$`);
    const file = sql('SHOW hba_file');
    writeFileSync(file, `host all odd 127.0.0.1/32 scram-sha-256\n${readFileSync(file, 'utf8')}`);
    sql('SELECT pg_reload_conf()');
    const as = (text: string) => new Secret(url.replace('postgres:none', `odd:${encodeURIComponent(text)}`));
    await worksAsEver(t, { ...store, postgres: { url: as(password) } });
    const wrong = { url: as('wrong') };
    await assert.rejects(openTrailFor(t, store.dataDir, { postgres: wrong }), (error: Error) => {
      assert.match(error.message, /password authentication failed/);
      assert.doesNotMatch(error.message, /wrong/);
      return true;
    });
  });

  it('a disk that gets full refuses calls, and takes them again once there is room', async (t) => {
    const mount = smallDisk(t);
    if (!mount) return t.skip('SKIPPED: nobody may mount here');
    server.sql(`CREATE TABLESPACE small LOCATION '${mount}/space'`);
    const { store } = place(t, 'full_disk', 'TABLESPACE small');
    const trail = await openTrailFor(t, store.dataDir, { postgres: store.postgres });
    await trail.intent(intent());
    const filler = join(mount, 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(256 * 1_048_576));
    } catch {
      // ENOSPC is what it is for
    }
    await assert.rejects(refused(trail));
    rmSync(filler);
    await until(() => trail.healthy(), 20_000);
    await trail.intent(intent());
    await trail.close();
    assert.deepEqual((await verifyAudit(store)).findings, []);
  });
});

/** Calls, with much to write, until one is refused. */
async function refused(trail: OpenAuditTrail): Promise<void> {
  for (let at = 0; at < 5_000; at += 1) {
    await Promise.all(Array.from({ length: 50 }, () => trail.intent(intent({ detail: 'x'.repeat(500) }))));
  }
}

/** Null where nobody may mount. */
function smallDisk(t: TestContext): string | null {
  const mount = mkdtempSync(join(tmpdir(), 'portcullis-small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'portcullis-small', mount], { stdio: 'ignore' });
  } catch {
    rmSync(mount, { recursive: true });
    return null;
  }
  t.after(() => {
    execFileSync('umount', ['-l', mount], { stdio: 'ignore' });
    rmSync(mount, { recursive: true, force: true });
  });
  chmodSync(mount, 0o777);
  execFileSync('install', ['-d', '-o', 'postgres', '-m', '700', join(mount, 'space')]);
  return mount;
}
