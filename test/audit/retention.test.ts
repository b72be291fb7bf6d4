import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { chainNext } from '../../src/audit/chain.ts';
import {
  type AuditTrailOptions,
  auditFile,
  fileWitness,
  planOld,
  queryAudit,
  removeOld,
  type Verification,
} from '../../src/audit/index.ts';
import { sqliteRetention } from '../../src/audit/retention/sqlite.ts';
import { type Clock, systemClock } from '../../src/base/index.ts';
import { intent, openTrailFor, record, temporaryDirectory, until, verify } from './support.ts';

const dayMs = 86_400_000;
const keep = { text: '400d', ms: 400 * dayMs };

/** A clock that stands `days` before now. */
function daysAgo(days: number): Clock {
  return { now: () => systemClock.now() - days * dayMs, monotonic: systemClock.monotonic };
}

interface Run {
  readonly ago: number;
  readonly calls?: number;
  readonly options?: Partial<AuditTrailOptions>;
}

/** One run of a gateway, so many days ago. @returns its writer */
async function run(t: TestContext, dataDir: string, { ago, calls = 6, options = {} }: Run): Promise<string> {
  const clock = daysAgo(ago);
  const trail = await openTrailFor(t, dataDir, { clock, ...options });
  const timestamp = new Date(clock.now()).toISOString();
  const intents = Array.from({ length: calls }, (_, at) =>
    intent({ subject: `user-${ago}-${at}`, timestamp }),
  );
  await Promise.all(intents.map((one) => trail.intent(one)));
  for (const { request_id, subject } of intents) trail.outcome(record({ request_id, subject, timestamp }));
  await trail.close();
  return trail.writer;
}

const ask = { keep, clock: systemClock, by: 'tester' };
const place = (dataDir: string) => ({ dataDir, postgres: null });
const kinds = ({ findings }: Verification) => [...new Set(findings.map(({ kind }) => kind))];
const events = (dataDir: string, event: string) => [...queryAudit(dataDir, { event, events: true })];

function sql(dataDir: string, statement: string): Record<string, unknown>[] {
  const db = new DatabaseSync(auditFile(dataDir));
  try {
    return db.prepare(statement).all();
  } finally {
    db.close();
  }
}

/** Statements of somebody who owns the file: guards are dropped first, and put back after. */
function tamper(dataDir: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(auditFile(dataDir));
  const guards = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of guards) db.exec(`DROP TRIGGER ${String(name)}`);
  work(db);
  for (const { sql: statement } of guards) db.exec(String(statement));
  db.close();
}

test('what is older goes, on record, and the chain stays provable', async (t) => {
  const elsewhere = join(temporaryDirectory(t), 'checkpoints');
  const options = { witnesses: [fileWitness(elsewhere)] };
  const dataDir = temporaryDirectory(t);
  const old = await run(t, dataDir, { ago: 500, options });
  const middle = await run(t, dataDir, { ago: 450, options });
  await run(t, dataDir, { ago: 10, options });
  const { plan, removed } = await removeOld(place(dataDir), ask);
  assert.deepEqual(plan.kept, []);
  assert.deepEqual(
    plan.removals.map(({ writer, from, sealedBy }) => [writer, from, sealedBy]),
    [
      [old, 1, 'chain'],
      [middle, 1, 'checkpoint'],
    ],
    'the end of the first is named by the second, which is old enough itself; the end of the second is not',
  );
  assert.equal(
    removed,
    plan.removals.reduce((sum, one) => sum + one.position - one.from + 1, 0),
  );
  const [said, more] = events(dataDir, 'audit.removed');
  assert.ok(said?.phase === 'event' && more);
  assert.equal(said.data['keep'], '400d');
  assert.equal(said.data['by'], 'tester');
  const verification = await verify(dataDir, { checkpoints: [elsewhere] });
  assert.deepEqual(verification.findings, [], 'and every checkpoint that was ever kept elsewhere agrees');
  assert.equal(verification.removed.length, 2);
  assert.equal(
    sql(dataDir, "SELECT 1 FROM entries WHERE subject LIKE 'user-500-%' OR subject LIKE 'user-450-%'").length,
    0,
  );
  assert.equal(sql(dataDir, "SELECT 1 FROM entries WHERE subject LIKE 'user-10-%'").length, 12);
  assert.equal((await removeOld(place(dataDir), ask)).removed, 0, 'there is nothing twice');
});

test('a call without an outcome that stays is still known as such', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 500 });
  await run(t, dataDir, { ago: 450 });
  const trail = await openTrailFor(t, dataDir);
  const open = intent();
  await trail.intent(open);
  assert.ok((await removeOld(place(dataDir), ask)).removed > 0);
  const unknown = queryAudit(dataDir, { result: 'unknown' });
  assert.deepEqual(
    [...unknown].map((one) => one.phase !== 'event' && one.request_id),
    [open.request_id],
  );
  assert.deepEqual((await verify(dataDir)).findings, []);
});

test('a dry run says what would go, and changes nothing', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 500 });
  await run(t, dataDir, { ago: 10 });
  const rows = () => sql(dataDir, 'SELECT seq, hash FROM records');
  const before = rows();
  const planned = await planOld(place(dataDir), ask);
  assert.deepEqual(rows(), before);
  assert.deepEqual((await removeOld(place(dataDir), ask)).plan, planned);
});

test('a gateway with a period removes at its start, while it serves', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 500, calls: 400 });
  const trail = await openTrailFor(t, dataDir, { keep });
  const left = () => sql(dataDir, "SELECT 1 FROM entries WHERE subject LIKE 'user-500-%'").length;
  while (left() > 0) {
    const one = intent();
    await trail.intent(one);
    trail.outcome(record({ request_id: one.request_id }));
  }
  await trail.close();
  assert.deepEqual((await verify(dataDir)).findings, []);
});

test('what is not sealed, or open, or young stays', async (t) => {
  const dataDir = temporaryDirectory(t);
  const young = await run(t, dataDir, { ago: 399 });
  const clock = daysAgo(500);
  const open = intent({ timestamp: new Date(clock.now()).toISOString() });
  const dead = await openTrailFor(t, dataDir, { clock });
  await dead.intent(open);
  await dead.close();
  const { plan } = await removeOld(place(dataDir), ask);
  assert.deepEqual(
    plan.removals.filter(({ writer }) => writer === young),
    [],
  );
  const ids = () => sql(dataDir, 'SELECT request_id FROM entries').map((row) => row['request_id']);
  assert.ok(ids().includes(open.request_id), 'a call whose fate nobody has told of');
  // The next start tells of it; then it is no open question any more.
  const next = await openTrailFor(t, dataDir);
  next.event({ timestamp: new Date().toISOString(), event: 'call.orphaned', request_id: open.request_id });
  await next.close();
  await removeOld(place(dataDir), ask);
  const left = sql(dataDir, `SELECT phase FROM entries WHERE request_id = '${open.request_id}'`);
  assert.deepEqual(
    left.map(({ phase }) => phase),
    ['event'],
  );
  assert.equal(sql(dataDir, 'SELECT 1 FROM open_calls').length, 0);
  assert.deepEqual((await verify(dataDir)).findings, []);
});

test('the trail stays provable when the entries that told of a removal are removed', async (t) => {
  const elsewhere = join(temporaryDirectory(t), 'checkpoints');
  const options = { witnesses: [fileWitness(elsewhere)] };
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 1300, options });
  for (const ago of [800, 400, 0]) {
    await run(t, dataDir, { ago, options });
    await removeOld(place(dataDir), { ...ask, clock: daysAgo(ago) });
    assert.deepEqual((await verify(dataDir, { checkpoints: [elsewhere] })).findings, [], String(ago));
  }
  assert.ok(events(dataDir, 'audit.removals').length > 0, 'it was told once more');
});

test('a crash in the middle of a removal leaves a trail that verifies, and the next start goes on', async (t) => {
  const dataDir = temporaryDirectory(t);
  const old = await run(t, dataDir, { ago: 500, calls: 300 });
  await run(t, dataDir, { ago: 10 });
  const trail = await openTrailFor(t, dataDir);
  const store = sqliteRetention({ file: auditFile(dataDir), self: trail.writer, keys: [] });
  const { plan } = { plan: await planOld(place(dataDir), ask) };
  const [removal] = plan.removals;
  assert.ok(removal);
  await assert.rejects(store.release([removal]), /on record first/, 'not before the trail says so');
  const { writer, from, position: through, hash } = removal;
  trail.event({
    timestamp: new Date().toISOString(),
    event: 'audit.removed',
    data: { writer, from, through, hash },
  });
  await trail.close();
  await store.release([removal]);
  assert.ok((await store.removeSome()) > 0);
  await store.close(); // and dies here
  const [half] = sql(dataDir, 'SELECT min(position) AS first FROM records WHERE writer = 1');
  assert.ok(Number(half?.['first']) > 1 && Number(half?.['first']) < through, 'half of it is gone');
  assert.deepEqual((await verify(dataDir)).findings, []);
  const next = await openTrailFor(t, dataDir, { keep });
  await until(
    () => sql(dataDir, `SELECT 1 FROM records WHERE writer = 1 AND position <= ${through}`).length === 0,
  );
  await next.close();
  assert.deepEqual((await verify(dataDir)).findings, []);
  assert.ok((await verify(dataDir)).removed.some((head) => head.writer === old));
});

test('the guard of the table lets nothing go that is not on record as removed', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 500 });
  await run(t, dataDir, { ago: 10 });
  for (const statement of [
    'DELETE FROM records WHERE position = 1',
    "INSERT INTO removals VALUES (1, 5, x'00')",
    'DELETE FROM writers',
  ]) {
    assert.throws(() => sql(dataDir, statement), /append-only|on record first/, statement);
  }
  await removeOld(place(dataDir), ask);
  assert.throws(
    () => sql(dataDir, "DELETE FROM records WHERE entry ->> 'subject' LIKE 'user-10-%'"),
    /append-only/,
  );
  assert.throws(() => sql(dataDir, 'DELETE FROM removals'), /append-only/);
});

// Attacks: somebody who can write to the file, and cannot sign.

test('found: a cut that goes further than the removal says', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 500 });
  await run(t, dataDir, { ago: 10 });
  await removeOld(place(dataDir), ask);
  tamper(dataDir, (db) => {
    db.exec('DELETE FROM records WHERE writer = 1');
    db.exec('DELETE FROM records WHERE writer = 2 AND position < 5');
  });
  const verification = await verify(dataDir);
  assert.ok(kinds(verification).includes('removed'), JSON.stringify(verification.findings));
});

test('found: a removal that was made up at the end of a chain, after its last checkpoint', async (t) => {
  const dataDir = temporaryDirectory(t);
  const victim = await run(t, dataDir, { ago: 10 });
  await run(t, dataDir, { ago: 5 });
  tamper(dataDir, (db) => {
    const [cut] = db.prepare('SELECT hash FROM records WHERE writer = 1 AND position = 8').all();
    const hash = Buffer.from(cut?.['hash'] as Uint8Array).toString('hex');
    const [end] = db
      .prepare('SELECT position, hash FROM records WHERE writer = 2 ORDER BY position DESC')
      .all();
    const text = JSON.stringify({
      data: { hash, through: 8, writer: victim },
      event: 'audit.removed',
      phase: 'event',
      timestamp: new Date().toISOString(),
    });
    const next = chainNext(Buffer.from(end?.['hash'] as Uint8Array).toString('hex'), text);
    db.prepare(
      "INSERT INTO records (writer, position, entry, hash, phase, event, timestamp) VALUES (2, ?, ?, ?, 'event', 'audit.removed', ?)",
    ).run(Number(end?.['position']) + 1, text, Buffer.from(next, 'hex'), String(JSON.parse(text).timestamp));
    db.exec('DELETE FROM records WHERE writer = 1 AND position <= 8');
  });
  assert.deepEqual(kinds(await verify(dataDir)), ['removed']);
});

test('found: a removal made up in the middle of a chain, with all hashes after it anew', async (t) => {
  const dataDir = temporaryDirectory(t);
  const victim = await run(t, dataDir, { ago: 10 });
  await run(t, dataDir, { ago: 5 });
  tamper(dataDir, (db) => {
    const rows = db
      .prepare('SELECT seq, position, entry, hash FROM records WHERE writer = 2 ORDER BY position')
      .all();
    const [cut] = db.prepare('SELECT hash FROM records WHERE writer = 1 AND position = 8').all();
    const hash = Buffer.from(cut?.['hash'] as Uint8Array).toString('hex');
    const forged = JSON.stringify({
      data: { hash, through: 8, writer: victim },
      event: 'audit.removed',
      phase: 'event',
      timestamp: new Date().toISOString(),
    });
    let before = '';
    for (const row of rows) {
      const text = row['position'] === 3 ? forged : String(row['entry']);
      const next =
        before === '' ? Buffer.from(row['hash'] as Uint8Array).toString('hex') : chainNext(before, text);
      db.prepare('UPDATE records SET entry = ?, hash = ? WHERE seq = ?').run(
        text,
        Buffer.from(next, 'hex'),
        Number(row['seq']),
      );
      before = next;
    }
    db.exec('DELETE FROM records WHERE writer = 1 AND position <= 8');
  });
  assert.ok(kinds(await verify(dataDir)).includes('forked'));
});

test('the gateway cannot be made to remove what is new by changing what the store says of its age', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 10 });
  await run(t, dataDir, { ago: 5 });
  const year = new Date().getUTCFullYear();
  tamper(dataDir, (db) => {
    db.exec(`UPDATE records SET entry = replace(entry, '"timestamp":"${year}', '"timestamp":"2001')`);
    db.exec(`UPDATE records SET entry = replace(entry, '"received_at":"${year}', '"received_at":"2001')`);
    db.exec(`UPDATE records SET timestamp = replace(timestamp, '${year}-', '2001-')`);
    // And all hashes anew: only a signature stands in the way.
    for (const writer of [1, 2]) {
      let before = '';
      for (const row of db
        .prepare('SELECT seq, entry, hash FROM records WHERE writer = ? ORDER BY position')
        .all(writer)) {
        const next =
          before === ''
            ? Buffer.from(row['hash'] as Uint8Array).toString('hex')
            : chainNext(before, String(row['entry']));
        db.prepare('UPDATE records SET hash = ? WHERE seq = ?').run(
          Buffer.from(next, 'hex'),
          Number(row['seq']),
        );
        before = next;
      }
    }
  });
  const rows = sql(dataDir, 'SELECT count(*) AS n FROM records')[0]?.['n'];
  const { plan, removed } = await removeOld(place(dataDir), ask);
  assert.equal(removed, 0);
  assert.equal(plan.kept.length, 2);
  assert.ok(Number(sql(dataDir, 'SELECT count(*) AS n FROM records')[0]?.['n']) >= Number(rows));
});

test('traces of a change are not removed: a stretch that is not as it was written stays whole', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 500 });
  await run(t, dataDir, { ago: 10 });
  tamper(dataDir, (db) => db.exec("UPDATE records SET entry = replace(entry, 'user-500-2', 'user-500-9')"));
  const trail = await openTrailFor(t, dataDir, { keep });
  await until(() => events(dataDir, 'audit.retention_failed').length > 0);
  await trail.close();
  assert.ok(kinds(await verify(dataDir)).includes('edited'));
  assert.equal(events(dataDir, 'audit.removed').length, 0);
});

test('found: a chain that disappears after retention has been at work on another', async (t) => {
  const dataDir = temporaryDirectory(t);
  await run(t, dataDir, { ago: 500 });
  await run(t, dataDir, { ago: 20 });
  await run(t, dataDir, { ago: 10 });
  await removeOld(place(dataDir), ask);
  tamper(dataDir, (db) => db.exec('DELETE FROM records WHERE writer = 2; DELETE FROM writers WHERE id = 2'));
  rmSync(join(dataDir, 'audit-checkpoints', String(readdirSync(join(dataDir, 'audit-checkpoints'))[0])));
  assert.ok(kinds(await verify(dataDir)).includes('truncated'));
});

test('a clock that is set while the gateway runs removes nothing', async (t) => {
  const dataDir = temporaryDirectory(t);
  let ahead = 0;
  const clock = { now: () => systemClock.now() + ahead, monotonic: systemClock.monotonic };
  await run(t, dataDir, { ago: 10 });
  const trail = await openTrailFor(t, dataDir, { clock });
  const { Retention } = await import('../../src/audit/retention/retention.ts');
  const { retentionStore } = await import('../../src/audit/retention/open.ts');
  const { openAuditKeys } = await import('../../src/audit/index.ts');
  const { silentLog } = await import('../../src/base/index.ts');
  const retention = new Retention({
    store: retentionStore({
      dataDir,
      log: silentLog,
      self: trail.writer,
      keys: openAuditKeys(dataDir, clock).verifiers,
    }),
    ...{ keep, by: 'configuration', clock, log: silentLog, tell: trail.event, sealed: trail.sealed },
  });
  ahead = 800 * dayMs;
  retention.start();
  await until(() => events(dataDir, 'audit.retention_failed').length > 0);
  await retention.stop();
  await trail.close();
  assert.equal(events(dataDir, 'audit.removed').length, 0);
});
