import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { keyedHasher } from '../../src/audit/arguments-hash.ts';
import {
  type AuditStore,
  matchArguments,
  planOld,
  publicAuditKeys,
  readAuditKeys,
  removeOld,
  type Verification,
  verifyAudit,
} from '../../src/audit/index.ts';
import { type Clock, Secret, systemClock } from '../../src/base/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from './support.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

const dayMs = 86_400_000;
const keep = { text: '400d', ms: 400 * dayMs };
const kinds = ({ findings }: Verification) => [...new Set(findings.map(({ kind }) => kind))];
const off = 'ALTER TABLE portcullis.records DISABLE TRIGGER ALL;';
const on = 'ALTER TABLE portcullis.records ENABLE TRIGGER ALL;';

describe('the trail in PostgreSQL', { skip }, () => {
  let server: PostgresServer;
  let made = 0;
  before(async () => {
    server = await startPostgres(['fsync=off']);
  });
  after(() => server.close());

  interface Place extends AuditStore {
    /** Statements of somebody who owns the database. */
    sql(text: string): string;
  }

  function place(t: TestContext): Place {
    made += 1;
    const name = `verify${made}`;
    const url = new Secret(server.database(name));
    return { dataDir: temporaryDirectory(t), postgres: { url }, sql: (text) => server.sql(text, name) };
  }

  async function run(t: TestContext, { sql: _, ...store }: Place, ago: number): Promise<string> {
    const clock: Clock = {
      now: () => systemClock.now() - ago * dayMs,
      monotonic: systemClock.monotonic,
    };
    const trail = await openTrailFor(t, store.dataDir, { clock, postgres: store.postgres });
    const intents = Array.from({ length: 6 }, (_, at) => intent({ subject: `user-${ago}-${at}` }));
    await Promise.all(intents.map((one) => trail.intent(one)));
    for (const { request_id, subject } of intents) trail.outcome(record({ request_id, subject }));
    await trail.close();
    return trail.writer;
  }

  it('is as it was written, whoever wrote: also replicas with keys of their own', async (t) => {
    const here = place(t);
    await run(t, here, 0);
    const there = { ...here, dataDir: temporaryDirectory(t) };
    await run(t, there, 0);
    const keys = join(here.dataDir, 'keys.pub');
    const lines = [here, there].flatMap(({ dataDir }) => publicAuditKeys(readAuditKeys(dataDir)));
    writeFileSync(keys, `${lines.join('\n')}\n`);
    const verification = await verifyAudit(here, { keys });
    assert.deepEqual(verification.findings, []);
    assert.equal(verification.chains.length, 2);
    assert.equal(verification.unsealed, 0);
    assert.deepEqual(kinds(await verifyAudit(here)), ['signature'], "the other's key is not known here");
  });

  const attacks: Readonly<Record<string, { sql: string; kind: string }>> = {
    'a value changed': {
      sql: `UPDATE portcullis.records SET entry = replace(entry, 'user-0-2', 'user-0-9')`,
      kind: 'edited',
    },
    'a column changed alone': {
      sql: `UPDATE portcullis.records SET subject = 'nobody' WHERE subject = 'user-0-2'`,
      kind: 'column',
    },
    'an entry removed': { sql: 'DELETE FROM portcullis.records WHERE position = 4', kind: 'missing' },
    'a beginning removed': { sql: 'DELETE FROM portcullis.records WHERE position < 4', kind: 'removed' },
    'a tail cut off': { sql: 'DELETE FROM portcullis.records WHERE position > 5', kind: 'truncated' },
    'everything removed': { sql: 'DELETE FROM portcullis.records', kind: 'truncated' },
    'an entry doubled': {
      sql: `INSERT INTO portcullis.records (at, writer, position, entry, hash, phase, timestamp)
        SELECT at + interval '1 s', writer, position, entry, hash, phase, timestamp FROM portcullis.records WHERE position = 4`,
      kind: 'moved',
    },
  };
  for (const [name, { sql, kind }] of Object.entries(attacks)) {
    it(`found: ${name}`, async (t) => {
      const here = place(t);
      await run(t, here, 0);
      here.sql(`${off} ${sql}; ${on}`);
      const verification = await verifyAudit(here);
      assert.ok(kinds(verification).includes(kind as never), JSON.stringify(verification.findings));
    });
  }

  const guards: Readonly<Record<string, string>> = {
    'a guard that was dropped': 'DROP TRIGGER records_no_delete ON portcullis.records',
    'a guard that is switched off': 'ALTER TABLE portcullis.records DISABLE TRIGGER records_no_truncate',
    'a guard that does nothing': `CREATE OR REPLACE FUNCTION portcullis.refuse_delete() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RETURN OLD; END $$`,
    'a guard of one partition that is switched off': `DO $$ BEGIN EXECUTE format('ALTER TABLE portcullis.%I DISABLE TRIGGER records_no_delete',
      (SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'portcullis.records'::regclass LIMIT 1)); END $$`,
    'a function of the owner that lets everything go': `CREATE OR REPLACE FUNCTION portcullis.may_go_before() RETURNS timestamptz
      LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT 'infinity'::timestamptz $$`,
    'a function of the owner that looks for names elsewhere':
      'ALTER FUNCTION portcullis.release SET search_path = public',
    'a function of the owner that was added': `CREATE FUNCTION portcullis.release(boolean) RETURNS void LANGUAGE sql SECURITY DEFINER
      AS $$ DELETE FROM portcullis.records $$`,
    'a trigger that was added': `CREATE FUNCTION portcullis.drop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
      CREATE TRIGGER a BEFORE INSERT ON portcullis.records FOR EACH ROW EXECUTE FUNCTION portcullis.drop_it()`,
  };
  for (const [name, sql] of Object.entries(guards)) {
    it(`found: ${name}`, async (t) => {
      const here = place(t);
      await run(t, here, 0);
      here.sql(sql.replaceAll('portcullis.%I', '%s'));
      assert.deepEqual(kinds(await verifyAudit(here)), ['schema']);
    });
  }

  /** By a superuser: an index does not hear of what happens meanwhile. */
  const unseen = (index: string, sql: string) => `
    UPDATE pg_index SET indisready = false WHERE indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'portcullis.${index}'::regclass);
    ${sql};
    UPDATE pg_index SET indisready = true WHERE indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'portcullis.${index}'::regclass)`;
  const forged = `INSERT INTO portcullis.records (at, writer, position, entry, hash, phase, timestamp, request_id)
    SELECT now(), writer, 900, entry, hash, phase, timestamp, request_id FROM portcullis.records WHERE position = 4`;
  /** As it was: only the index does not know it any more. */
  const again = `CREATE TEMP TABLE one AS SELECT * FROM portcullis.records WHERE position = 9;
    DELETE FROM portcullis.records WHERE position = 9; INSERT INTO portcullis.records SELECT * FROM one`;

  const beside: Readonly<Record<string, { sql: string; kind: string; message: RegExp }>> = {
    'an index that was dropped': {
      sql: 'DROP INDEX portcullis.records_values',
      kind: 'schema',
      message: /records_values of the database is gone/,
    },
    'an index that is switched off': {
      sql: `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'portcullis.records_timestamp'::regclass`,
      kind: 'schema',
      message: /records_timestamp of the database was changed or switched off/,
    },
    'an index that was added': {
      sql: 'CREATE INDEX another ON portcullis.records (subject)',
      kind: 'schema',
      message: /index another of the database was added/,
    },
    'an entry that was added behind the back of the index that verification goes by': {
      sql: unseen('records_writer_position_at_key', forged),
      kind: 'schema',
      message: /verification passes over 1 entries/,
    },
    'an entry that queries by time pass over': {
      sql: `${off} ${unseen('records_timestamp', again)}; ${on}`,
      kind: 'schema',
      message: /queries by time pass over 1 entries/,
    },
    'an entry that audit trace passes over': {
      sql: `${off} ${unseen('records_request', again)}; ${on}`,
      kind: 'schema',
      message: /queries by request id pass over 1 entries/,
    },
    'rows that are hidden from some': {
      sql: `ALTER TABLE portcullis.records ENABLE ROW LEVEL SECURITY`,
      kind: 'schema',
      message: /hides rows from some readers/,
    },
    'a view in place of a table': {
      sql: `ALTER TABLE portcullis.open_calls RENAME TO calls;
        CREATE VIEW portcullis.open_calls AS SELECT * FROM portcullis.calls WHERE false`,
      kind: 'schema',
      message: /open_calls of the database is no table/,
    },
    'an end that lies further back: tail would not go on': {
      sql: 'UPDATE portcullis.heads SET position = 5',
      kind: 'index',
      message: /says that it ends at entry 5, its entries end at \d+/,
    },
    'an end that has another hash': {
      sql: `UPDATE portcullis.heads SET hash = '\\x00'`,
      kind: 'index',
      message: /says that it ends at/,
    },
    'an end that is gone': {
      sql: 'DELETE FROM portcullis.heads',
      kind: 'index',
      message: /says that it ends at entry 0/,
    },
    'a call whose fate is unknown, taken off the list': {
      sql: 'DELETE FROM portcullis.open_calls',
      kind: 'index',
      message: /queries pass over this call/,
    },
    'a call that ended, put on the list': {
      sql: `INSERT INTO portcullis.open_calls SELECT request_id FROM portcullis.records WHERE phase = 'outcome' LIMIT 1`,
      kind: 'index',
      message: /1 calls are listed as without an outcome/,
    },
    'a chain under another name': {
      sql: `ALTER TABLE portcullis.writers DISABLE TRIGGER ALL; UPDATE portcullis.writers SET writer = 'somebody' WHERE id = 1;
        ALTER TABLE portcullis.writers ENABLE TRIGGER ALL`,
      kind: 'edited',
      message: /is not what was written/,
    },
    'a writer that is gone': {
      sql: `ALTER TABLE portcullis.writers DISABLE TRIGGER ALL; DELETE FROM portcullis.heads; DELETE FROM portcullis.writers;
        ALTER TABLE portcullis.writers ENABLE TRIGGER ALL`,
      kind: 'edited',
      message: /is not what was written/,
    },
  };
  for (const [name, { sql, kind, message }] of Object.entries(beside)) {
    it(`found: ${name}`, async (t) => {
      const here = place(t);
      const trail = await openTrailFor(t, here.dataDir, { postgres: here.postgres });
      await trail.intent(intent({ request_id: 'open' }));
      await trail.close();
      await run(t, here, 0);
      assert.deepEqual((await verifyAudit(here)).findings, []);
      here.sql(sql);
      const { findings } = await verifyAudit(here);
      assert.ok(
        findings.some((one) => one.kind === kind && message.test(one.message)),
        JSON.stringify(findings),
      );
    });
  }

  it('found: a whole chain removed, without a trace of its own, by the chain that began after it', async (t) => {
    const here = place(t);
    const gone = await run(t, here, 0);
    await run(t, here, 0);
    rmSync(join(here.dataDir, 'audit-checkpoints'), { recursive: true });
    here.sql(`SET session_replication_role = replica; DELETE FROM portcullis.records WHERE writer = 1;
      DELETE FROM portcullis.heads WHERE writer = 1; DELETE FROM portcullis.writers WHERE id = 1`);
    const { findings } = await verifyAudit(here);
    assert.deepEqual(
      findings.map(({ kind, writer }) => [kind, writer]),
      [['truncated', gone]],
    );
  });

  it('retention removes what is old, on record, and the rest stays provable', async (t) => {
    const here = place(t);
    await run(t, here, 500);
    await run(t, here, 450);
    await run(t, here, 10);
    const ask = { keep, clock: systemClock, by: 'tester' };
    const planned = await planOld(here, ask);
    const { plan, removed } = await removeOld(here, ask);
    assert.deepEqual(plan, planned);
    assert.ok(removed > 20 && plan.removals.length === 2, JSON.stringify(plan));
    const verification = await verifyAudit(here);
    assert.deepEqual(verification.findings, []);
    assert.equal(verification.removed.length, 2);
    const left = (ago: number) =>
      here.sql(`SELECT count(*) FROM portcullis.records WHERE subject LIKE 'user-${ago}-%'`);
    assert.deepEqual([left(500), left(450), left(10)], ['0', '0', '12']);
    assert.throws(() => here.sql("DELETE FROM portcullis.records WHERE subject LIKE 'user-10-%'"));
    here.sql(`${off} DELETE FROM portcullis.records WHERE writer = 3 AND position < 4; ${on}`);
    assert.deepEqual(kinds(await verifyAudit(here)), ['removed'], 'and a deletion is told from it');
  });

  it('answers which calls had exactly these arguments, and records the question there', async (t) => {
    const here = place(t);
    const call = { organization: 'acme', tool: 'create_note', arguments: { title: 'x' } };
    const trail = await openTrailFor(t, here.dataDir, { postgres: here.postgres });
    const [key] = readAuditKeys(here.dataDir).hashing;
    assert.ok(key);
    const hash = keyedHasher(key);
    trail.outcome(record({ request_id: 'this-one', arguments_hash: hash(call) }));
    trail.outcome(record({ arguments_hash: hash({ ...call, arguments: {} }) }));
    await trail.close();
    const question = { tool: call.tool, arguments: call.arguments, by: 'tester' };
    const { found, compared } = await matchArguments(here, question, systemClock);
    assert.deepEqual([found.map(({ request_id }) => request_id), compared], [['this-one'], 2]);
    const asked = "SELECT count(*) FROM portcullis.records WHERE event = 'audit.matched'";
    assert.equal(here.sql(asked), '1');
  });

  for (const kept of ['PostgreSQL', 'the data directory']) {
    it(`answers which calls had exactly this answer, out of ${kept}`, async (t) => {
      const { sql: _, ...here } = place(t);
      const store = kept === 'PostgreSQL' ? here : { ...here, postgres: null };
      const trail = await openTrailFor(t, store.dataDir, { postgres: store.postgres });
      const bytes = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}');
      const hashOf = (body: Uint8Array, organization: string | null) => {
        const hash = trail.hashResult(organization);
        hash.update(body);
        return hash.digest();
      };
      const answered = (request_id: string, organization: string | null, body = bytes) =>
        record({ request_id, organization, result_hash: hashOf(body, organization) });
      trail.outcome(answered('acme', 'acme'));
      trail.outcome(answered('nobody', null));
      trail.outcome(answered('other', 'acme', Buffer.from('{}')));
      trail.outcome({ ...answered('moved', 'acme'), organization: 'another' });
      trail.outcome(record({ request_id: 'without' }));
      await trail.close();
      const question = { tool: 'create_note', result: bytes, by: 'tester' };
      const { found, compared, keyGone } = await matchArguments(store, question, systemClock);
      assert.deepEqual(found.map(({ request_id }) => request_id).toSorted(), ['acme', 'nobody']);
      assert.deepEqual([compared, keyGone], [4, 0]);
    });
  }

  it('a replica removes nothing that another has signed, unless they share the keys', async (t) => {
    const here = place(t);
    await run(t, here, 500);
    const there = { ...here, dataDir: temporaryDirectory(t) };
    await run(t, there, 0);
    const ask = { keep, clock: systemClock, by: 'tester' };
    const plan = await planOld(there, ask);
    assert.deepEqual([plan.removals, plan.kept], [[], []], 'and blames nobody');
    const file = 'audit-keys.json';
    const shared = { ...here, dataDir: temporaryDirectory(t) };
    cpSync(join(here.dataDir, file), join(shared.dataDir, file));
    assert.equal((await planOld(shared, ask)).removals.length, 1);
    assert.ok(readFileSync(join(shared.dataDir, file)).length > 0);
  });
});
