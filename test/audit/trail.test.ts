import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { auditFile, createAuditTrail, queryAudit, type StoredRecord } from '../../src/audit/index.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { intent, openTrailFor, record, storedIds, temporaryDirectory } from './support.ts';

test('an intent is on disk when its promise resolves, seen by another connection', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const one = intent();
  await trail.intent(one);
  assert.deepEqual(storedIds(dataDir, 'intent'), [one.request_id]);
});

test('the file and what lies beside it are for their owner alone', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'made');
  const trail = await openTrailFor(t, dataDir);
  await trail.intent(intent());
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  for (const suffix of ['', '-wal', '-shm']) {
    assert.equal(statSync(auditFile(dataDir) + suffix).mode & 0o777, 0o600, suffix);
  }
});

test('every outcome and event given before close is there after, field by field', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const given = Array.from({ length: 2_500 }, (_, index) => record({ subject: `user-${index}` }));
  for (const one of given) trail.outcome(one);
  trail.event({
    timestamp: '2026-07-28T10:00:00.000Z',
    event: 'token.issued',
    subject: 'alice',
    data: { ttl: 900, by: null, ok: true },
  });
  await trail.close();

  const found = [...queryAudit(dataDir, { order: 'oldest', events: true })];
  const calls = found.filter((entry): entry is StoredRecord => entry.phase === 'outcome');
  assert.equal(calls.length, given.length);
  const stored = new Map(calls.map(({ seq, writer, position, phase, ...rest }) => [rest.request_id, rest]));
  for (const one of given) {
    const found: object = stored.get(one.request_id) ?? {};
    assert.deepEqual({ ...found, ...one }, found);
  }
  const event = found.find((entry) => entry.phase === 'event');
  assert.deepEqual(event?.data, { ttl: 900, by: null, ok: true });
  assert.deepEqual(new Set(found.map((entry) => entry.position)).size, 2_501, 'each entry has its place');
});

test('flush waits for what was written so far', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  for (let index = 0; index < 1_500; index += 1) trail.outcome(record());
  await trail.flush();
  assert.equal(storedIds(dataDir, 'outcome').length, 1_500);
  await trail.flush();
});

test('rows cannot be changed or removed by a statement', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  trail.outcome(record());
  await trail.flush();
  const db = new DatabaseSync(trail.file);
  t.after(() => db.close());
  for (const sql of ["UPDATE records SET entry = '{}'", 'DELETE FROM records', 'DELETE FROM writers']) {
    assert.throws(() => db.exec(sql), /append-only/, sql);
  }
});

test('hostile values are stored neutral and bring no SQL with them', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  trail.outcome(
    record({ tool_name: "x'); DROP TABLE records; --", detail: 'a\n2026-07-28 forged line\u001b[2J' }),
  );
  await trail.close();
  const [found] = queryAudit(dataDir);
  assert.ok(found?.phase === 'outcome');
  assert.equal(found.tool_name, "x'); DROP TABLE records; --");
  assert.equal(found.detail, 'a\\u000a2026-07-28 forged line\\u001b[2J');
});

test('two writers share one file, each with its own sequence', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trails = await Promise.all([1, 2, 3].map(() => openTrailFor(t, dataDir)));
  await Promise.all(
    trails.flatMap((trail) =>
      Array.from({ length: 200 }, () => trail.intent(intent()).then(() => trail.outcome(record()))),
    ),
  );
  await Promise.all(trails.map((trail) => trail.close()));
  const found = [...queryAudit(dataDir, { result: 'success' })];
  assert.equal(found.length, 600);
  for (const trail of trails) {
    assert.equal(found.filter((entry) => entry.writer === trail.writer).length, 200);
  }
  assert.equal(storedIds(dataDir, 'intent').length, 600);
});

test('a trail that cannot be opened stops the start, and says where', async (t) => {
  const directory = temporaryDirectory(t);
  const db = new DatabaseSync(auditFile(directory));
  db.exec(
    "CREATE TABLE migrations (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT; INSERT INTO migrations VALUES ('audit', 99)",
  );
  db.close();
  await assert.rejects(
    createAuditTrail({ dataDir: directory, clock: systemClock, log: silentLog }),
    /cannot open the audit trail .*audit\.db: .*newer Portcullis/,
  );
});

test('after close intents are refused and outcomes do no harm', async (t) => {
  const trail = await openTrailFor(t, temporaryDirectory(t));
  await trail.close();
  assert.equal(trail.healthy(), false);
  await assert.rejects(trail.intent(intent()), /audit trail unavailable/);
  trail.outcome(record());
  await trail.flush();
  await trail.close();
});
