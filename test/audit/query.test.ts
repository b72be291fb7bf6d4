import assert from 'node:assert/strict';
import { chmodSync, readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  type AuditRecord,
  auditFile,
  formatJsonLine,
  formatRecord,
  listOrphans,
  parseTime,
  queryAudit,
  type StoredEntry,
} from '../../src/audit/index.ts';
import { ConfigurationError } from '../../src/base/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from './support.ts';

const at = (minute: number) => `2026-07-28T10:${String(minute).padStart(2, '0')}:00.000Z`;
const ids = (entries: Iterable<StoredEntry>) =>
  [...entries].map((entry) => (entry.phase === 'event' ? entry.event : entry.request_id));

test('each filter, alone and together', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const rows: Partial<AuditRecord>[] = [
    { request_id: 'r0', subject: 'alice' },
    {
      request_id: 'r1',
      subject: 'bob',
      tool_name: 'delete_note',
      result: 'denied_auth',
      reason: 'scope_missing',
    },
    { request_id: 'r2', subject: 'bob', client_id: 'c2', server: 'files' },
    {
      request_id: 'r3',
      subject: null,
      client_id: null,
      tool_name: null,
      result: 'denied_auth',
      reason: 'token_missing',
    },
  ];
  rows.forEach((row, index) => {
    trail.outcome(record({ ...row, timestamp: at(index) }));
  });
  trail.event({ timestamp: at(4), event: 'signin.failed', subject: 'bob' });
  await trail.flush();

  const found = (query: Parameters<typeof queryAudit>[1]) => ids(queryAudit(dataDir, query));
  assert.deepEqual(found({}), ['r3', 'r2', 'r1', 'r0']);
  assert.deepEqual(found({ order: 'oldest' }), ['r0', 'r1', 'r2', 'r3']);
  assert.deepEqual(found({ events: true, limit: 2 }), ['signin.failed', 'r3']);
  assert.deepEqual(found({ subject: 'bob', events: true }), ['signin.failed', 'r2', 'r1']);
  assert.deepEqual(found({ client: 'c2' }), ['r2']);
  assert.deepEqual(found({ tool: 'delete_note' }), ['r1']);
  assert.deepEqual(found({ result: 'denied_auth' }), ['r3', 'r1']);
  assert.deepEqual(found({ reason: 'token_missing' }), ['r3']);
  assert.deepEqual(found({ server: 'files' }), ['r2']);
  assert.deepEqual(found({ requestId: 'r0' }), ['r0']);
  assert.deepEqual(found({ since: at(1), until: at(3) }), ['r2', 'r1']);
  assert.deepEqual(found({ since: at(1), subject: 'bob', result: 'success' }), ['r2']);
  assert.deepEqual(found({ subject: "' OR 1=1 --" }), []);
});

test('an intent without an outcome is shown once, as unknown, until its outcome comes', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const [finished, open] = [intent({ timestamp: at(0) }), intent({ timestamp: at(1) })];
  await trail.intent(finished);
  await trail.intent(open);
  trail.outcome(record({ ...finished, result: 'success' }));
  await trail.flush();
  const found = [...queryAudit(dataDir)];
  assert.deepEqual(
    found.map((entry) => entry.phase !== 'event' && [entry.request_id, entry.result]),
    [
      [open.request_id, 'unknown'],
      [finished.request_id, 'success'],
    ],
  );
  assert.deepEqual(ids(queryAudit(dataDir, { result: 'unknown' })), [open.request_id]);
  assert.deepEqual(ids(queryAudit(dataDir, { result: 'success' })), [finished.request_id]);
  assert.deepEqual(ids(listOrphans(dataDir, { until: at(1) })), []);
  assert.deepEqual(ids(listOrphans(dataDir)), [open.request_id]);

  trail.outcome(record({ ...open, result: 'error', reason: 'upstream_timeout' }));
  await trail.flush();
  assert.deepEqual(listOrphans(dataDir), []);
  assert.equal(ids(queryAudit(dataDir)).length, 2);
});

test('pages without gaps or repeats, also where timestamps are equal', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const expected = Array.from({ length: 1_700 }, (_, index) => `r${index}`);
  for (const request_id of expected) trail.outcome(record({ request_id, timestamp: at(7) }));
  await trail.flush();
  assert.deepEqual(ids(queryAudit(dataDir, { order: 'oldest' })), expected);
  assert.deepEqual(ids(queryAudit(dataDir)), expected.toReversed());
  assert.deepEqual(ids(queryAudit(dataDir, { limit: 501 })), expected.toReversed().slice(0, 501));
});

test('pages within a time, from either end, are those of the whole', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const stamp = (index: number) => new Date(Date.UTC(2026, 6, 28) + Math.floor(index / 7) * 10).toISOString();
  for (let index = 0; index < 1_700; index += 1)
    trail.outcome(record({ request_id: `r${index}`, timestamp: stamp(index) }));
  await trail.flush();
  const [since, until] = [stamp(40), stamp(1_660)];
  const all = [...queryAudit(dataDir, { order: 'oldest' })];
  const within = all.filter(({ timestamp }) => since <= timestamp && timestamp < until);
  assert.ok(within.length > 1_500, 'several pages');
  assert.deepEqual(ids(queryAudit(dataDir, { order: 'oldest', since, until })), ids(within));
  assert.deepEqual(ids(queryAudit(dataDir, { since, until })), ids(within.reverse()));
});

test('reads without a gateway, leaves no lock and changes nothing', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  trail.outcome(record());
  await trail.close();
  const before = readdirSync(dataDir);
  chmodSync(auditFile(dataDir), 0o400);
  assert.equal([...queryAudit(dataDir)].length, 1);
  assert.ok(before.includes('audit.db') && !before.some((name) => name.startsWith('audit.db-')));
});

test('no trail, or a file that is none, is a clear error', (t) => {
  const dataDir = temporaryDirectory(t);
  assert.throws(() => [...queryAudit(dataDir)], /no audit trail at .*audit\.db/);
  new DatabaseSync(auditFile(dataDir)).exec('CREATE TABLE other (x)');
  assert.throws(() => [...queryAudit(dataDir)], /holds no audit/);
});

test('times: ago, dates, zones, and what is none', () => {
  const options = { now: Date.UTC(2026, 6, 28, 10), option: '--since' };
  const cases: readonly [string, string][] = [
    ['30m', '2026-07-28T09:30:00.000Z'],
    ['24h', '2026-07-27T10:00:00.000Z'],
    ['7d', '2026-07-21T10:00:00.000Z'],
    ['2w', '2026-07-14T10:00:00.000Z'],
    ['2026-07-28', '2026-07-28T00:00:00.000Z'],
    ['2026-07-28T10:00', '2026-07-28T10:00:00.000Z'],
    ['2026-07-28 10:00:01.5', '2026-07-28T10:00:01.500Z'],
    ['2026-07-28T10:00:00+02:00', '2026-07-28T08:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ];
  for (const [text, expected] of cases) assert.equal(parseTime(text, options), expected, text);
  for (const text of [
    '',
    'yesterday',
    '7',
    '-7d',
    '7y',
    '2026-02-31',
    '2026-13-01',
    '2026-07-28T25:00',
    '1e3d',
    '9999999d',
  ]) {
    assert.throws(
      () => parseTime(text, options),
      (error) => error instanceof ConfigurationError && error.faults[0]?.source === '--since',
      text,
    );
  }
});

test('a line for people is one line, neutral even when the file was written by another hand', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  trail.outcome(record({ timestamp: at(0) }));
  trail.outcome(
    record({
      timestamp: at(1),
      result: 'denied_auth',
      reason: 'token_expired',
      subject: null,
      client_id: null,
      tool_name: null,
      latency_ms: 0.4,
    }),
  );
  trail.event({
    timestamp: at(2),
    event: 'token.issued',
    subject: 'alice',
    client_id: 'c',
    data: { ttl: 900 },
  });
  await trail.close();
  const db = new DatabaseSync(trail.file);
  db.prepare("INSERT INTO records (writer, position, entry, hash) VALUES (1, 99, ?, x'00')").run(
    JSON.stringify({
      phase: 'outcome',
      timestamp: at(3),
      request_id: 'x',
      subject: 'a\u001b[31m\nb\u202e',
      server: 'notes',
      tool_name: 'y'.repeat(9_999),
    }),
  );
  db.close();
  const entries = [...queryAudit(dataDir, { order: 'oldest', events: true })];
  const lines = entries
    .slice(0, 3)
    .map((entry) => formatRecord(entry).replace(String(entry.request_id), 'ID'));
  assert.deepEqual(lines, [
    '2026-07-28T10:00:00.000Z success     notes create_note alice@https://client.example/metadata.json 12ms from 127.0.0.1 request_id=ID',
    '2026-07-28T10:01:00.000Z denied_auth notes tools/call -@- token_expired 0ms from 127.0.0.1 request_id=ID',
    '2026-07-28T10:02:00.000Z event       token.issued alice@c ttl=900',
  ]);
  for (const entry of entries) {
    for (const line of [formatRecord(entry), formatJsonLine(entry)]) assert.match(line, /^[ -~…]+$/);
    assert.ok(formatRecord(entry).length < 400);
    assert.equal(JSON.parse(formatJsonLine(entry)).timestamp, entry.timestamp);
  }
});
