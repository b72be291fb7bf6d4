import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type AuditRecord, auditFile, createAuditTrail } from '../../src/audit/index.ts';
import { readAuditKeys } from '../../src/audit/keys.ts';
import { segmentSize } from '../../src/audit/prints.ts';
import { openTrail } from '../../src/audit/query.ts';
import { ChainCheck } from '../../src/audit/verify/chains.ts';
import { checkInParallel } from '../../src/audit/verify/sqlite-parallel.ts';
import { allRows, SqliteRows } from '../../src/audit/verify/sqlite-rows.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { intent, record, temporaryDirectory, until, verify } from './support.ts';

const made = mkdtempSync(join(tmpdir(), 'portcullis-parallel-'));
const boundary = segmentSize * 2;

/** Two runs one after the other, over three segments; calls that are open at a segment's end. */
async function write(): Promise<void> {
  for (const run of [1, 2]) {
    const trail = await createAuditTrail({
      ...{ dataDir: made, clock: systemClock, log: silentLog, closeWithinMs: 60_000 },
      durability: 'batched',
    });
    const open: AuditRecord[] = [];
    for (let at = 0; at < segmentSize * 0.75; at += 1) {
      const one = intent({ client_id: `client-${at % 7}` });
      void trail.intent(one);
      open.push(one);
      if (open.length > 40) trail.outcome(outcomeOf(open.shift()));
      if (at % 1_000 === 0) await trail.flush();
    }
    for (const one of open.splice(run === 1 ? 3 : 0)) trail.outcome(outcomeOf(one));
    await trail.flush();
    const db = new DatabaseSync(auditFile(made), { readOnly: true });
    const full = db.prepare(`SELECT (max(seq) + 1) / ${segmentSize} AS full FROM records`);
    const least = db.prepare('SELECT min(segments) AS least FROM indexed');
    await until(() => Number(least.get()?.['least']) === Number(full.get()?.['full']), 30_000);
    db.close();
    await trail.close();
  }
}

function outcomeOf({ request_id, client_id }: Partial<AuditRecord> = {}): AuditRecord {
  return record({ request_id: request_id ?? '', client_id: client_id ?? null });
}

function check(dataDir: string): Promise<ChainCheck | null> {
  const db = openTrail(dataDir);
  return checkInParallel(db, { dataDir, keys: readAuditKeys(dataDir).verifiers }).finally(() => db.close());
}

function copy(t: TestContext): string {
  const dataDir = temporaryDirectory(t);
  cpSync(made, dataDir, { recursive: true });
  return dataDir;
}

const attacks: Readonly<Record<string, string>> = {
  'a text edited': `UPDATE records SET entry = replace(entry, 'client-', 'client_') WHERE seq = ${boundary + 5}`,
  'the first row of a segment removed': `DELETE FROM records WHERE seq = ${boundary}`,
  'two rows that change places over a boundary': `UPDATE records SET seq = -1 WHERE seq = ${boundary}; UPDATE records SET seq = ${boundary} WHERE seq = ${boundary - 1}; UPDATE records SET seq = ${boundary - 1} WHERE seq = -1`,
  'a hash at a boundary changed': `UPDATE records SET hash = zeroblob(32) WHERE seq = ${boundary - 1}`,
  'a row beyond what a number holds': `UPDATE records SET seq = 9223372036854775807 WHERE seq = ${boundary + 9}`,
  'postings emptied': `DELETE FROM postings WHERE segment = 1 AND kind = 'client_id' AND term = 'client-3'`,
};

describe('the check by several threads', () => {
  before(write);
  after(() => rmSync(made, { recursive: true, force: true }));

  it('says what one pass over all rows says', async () => {
    const inParallel = await check(made);
    assert.ok(inParallel, 'nothing is wrong');
    const db = openTrail(made);
    const inOrder = new ChainCheck(readAuditKeys(made).verifiers);
    new SqliteRows(db).between(allRows, (row) => inOrder.row(row), assert.fail);
    db.close();
    assert.equal(inParallel.entries, inOrder.entries);
    assert.deepEqual(inParallel.chains, inOrder.chains);
    assert.equal(inParallel.chains.length, 2);
    assert.deepEqual(inParallel.orphans(), inOrder.orphans());
    assert.equal(inParallel.orphans().length, 3);
    assert.deepEqual(inParallel.links, inOrder.links);
  });

  for (const [name, sql] of Object.entries(attacks)) {
    it(`does not vouch for ${name}, and the whole is read again to say so`, async (t) => {
      const dataDir = copy(t);
      const db = new DatabaseSync(auditFile(dataDir));
      const guards = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
      for (const guard of guards) db.exec(`DROP TRIGGER ${String(guard['name'])}`);
      db.exec(sql);
      for (const guard of guards) db.exec(String(guard['sql']));
      db.close();
      assert.equal(await check(dataDir), null);
      const { ok, findingCount } = await verify(dataDir);
      assert.equal(ok, false);
      assert.ok(findingCount > 0);
    });
  }
});
