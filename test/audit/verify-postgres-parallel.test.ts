import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type AuditRecord, createAuditTrail, verifyAudit } from '../../src/audit/index.ts';
import { readAuditKeys } from '../../src/audit/keys.ts';
import { ChainCheck } from '../../src/audit/verify/chains.ts';
import { connectToVerify } from '../../src/audit/verify/postgres-connection.ts';
import { checkInParallel } from '../../src/audit/verify/postgres-parallel.ts';
import { PgRows } from '../../src/audit/verify/postgres-rows.ts';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { intent, record } from './support.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';
const stretchRows = 7;
const around = { clock: systemClock, log: silentLog };
const off = 'SET session_replication_role = replica; SET search_path = portcullis;';

/** What text formats and JSON escape, and what is long in UTF-8. */
const odd = 'a\\b "c" \t\n\r\b\v\f \\N é 漢字 😀 \ufffd';

describe('the check of PostgreSQL by several threads', { skip }, () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-parallel-'));
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres(['fsync=off']);
    await write(new Secret(server.database('made')));
  });
  after(async () => {
    await server.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  async function write(url: Secret): Promise<void> {
    for (const run of [1, 2, 3]) {
      const trail = await createAuditTrail({ ...around, dataDir, postgres: { url } });
      const open: AuditRecord[] = [];
      for (let call = 0; call < 20; call += 1) {
        const one = intent({ subject: call % 5 === 0 ? odd : `user-${run}-${call}` });
        await trail.intent(one);
        open.push(one);
        if (open.length > 4) trail.outcome(outcomeOf(open.shift(), call));
      }
      for (const one of open.splice(run === 1 ? 3 : 0)) trail.outcome(outcomeOf(one, 1e-7));
      await trail.close();
    }
  }

  /** A copy of what was written. */
  function copy(name: string) {
    server.sql(`CREATE DATABASE ${name} TEMPLATE made`);
    const postgres = { url: new Secret(server.url.replace(/postgres$/, name)) };
    return { store: { dataDir, postgres }, sql: (text: string) => server.sql(`${off} ${text}`, name) };
  }

  function outcomeOf({ request_id = '', subject = null }: Partial<AuditRecord> = {}, latency_ms: number) {
    return record({ request_id, subject, latency_ms: latency_ms / 3 });
  }

  async function check(url: Secret): Promise<ChainCheck | null> {
    const database = await connectToVerify(url, silentLog);
    await database.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const keys = readAuditKeys(dataDir).verifiers;
    return checkInParallel(database, { url, keys, stretchRows }).finally(() => database.close());
  }

  it('says what one pass over all rows says, of one view of the database', async (t) => {
    const { store } = copy('whole');
    const database = await connectToVerify(store.postgres.url, silentLog);
    t.after(() => database.close());
    await database.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const inOrder = new ChainCheck(readAuditKeys(dataDir).verifiers);
    const rows = await PgRows.over(database);
    await rows.between({ from: null, to: null }, (row) => inOrder.row(row), assert.fail);
    // What comes later is not seen by any of them.
    const later = await createAuditTrail({ ...around, ...store });
    later.outcome(record());
    await later.close();
    const { url } = store.postgres;
    const keys = readAuditKeys(dataDir).verifiers;
    const inParallel = await checkInParallel(database, { url, keys, stretchRows });
    assert.ok(inParallel, 'nothing is wrong');
    assert.ok(inParallel.entries > 10 * stretchRows);
    assert.equal(inParallel.entries, inOrder.entries);
    assert.deepEqual(inParallel.chains, inOrder.chains);
    assert.equal(inParallel.chains.length, 3);
    assert.deepEqual(inParallel.orphans(), inOrder.orphans());
    assert.equal(inParallel.orphans().length, 3);
    assert.deepEqual(inParallel.links, inOrder.links);
  });

  const attacks: Readonly<Record<string, string>> = {
    'a text edited': `UPDATE records SET entry = replace(entry, 'notes', 'votes') WHERE writer = 2 AND position = 18`,
    'the first row of a stretch removed': `DELETE FROM records WHERE writer = 1 AND position = ${stretchRows * 2 + 1}`,
    'the last row of a stretch removed': `DELETE FROM records WHERE writer = 1 AND position = ${stretchRows * 2}`,
    'two rows that change places over a boundary': `UPDATE records SET position = position + 1000 WHERE writer = 1 AND position IN (14, 15);
      UPDATE records SET position = 2029 - position WHERE position > 1000`,
    'a hash at a boundary changed': `UPDATE records SET hash = '\\x00' WHERE writer = 1 AND position = ${stretchRows}`,
    'a position beyond what a number holds': `UPDATE records SET position = 9223372036854775807 WHERE writer = 2 AND position = 30`,
    'a position before all others': `INSERT INTO records (at, writer, position, entry, hash, phase, timestamp)
      SELECT at, writer, -5, entry, hash, phase, timestamp FROM records WHERE writer = 2 AND position = 9`,
    'a row of a writer who is not there': `INSERT INTO records (at, writer, position, entry, hash, phase, timestamp)
      SELECT at, -7, position, entry, hash, phase, timestamp FROM records WHERE writer = 2 AND position = 9`,
    'a column that says something else': `UPDATE records SET token_id = 'x' WHERE writer = 3 AND position = 30`,
    'a column that says nothing': `UPDATE records SET subject = NULL WHERE writer = 3 AND position = 30`,
    'a column that says NULL': `UPDATE records SET event = '\\N' WHERE writer = 3 AND position = 30`,
    'a latency that is another': `UPDATE records SET latency_ms = latency_ms + 1e-9 WHERE latency_ms IS NOT NULL AND writer = 3`,
  };
  for (const [at, [name, text]] of Object.entries(attacks).entries()) {
    it(`does not vouch for ${name}, and the whole is read again to say so`, async () => {
      const { store, sql } = copy(`attack${at}`);
      sql(text);
      assert.equal(await check(store.postgres.url), null);
      const { ok, findingCount } = await verifyAudit(store);
      assert.equal(ok, false);
      assert.ok(findingCount > 0);
    });
  }
});
