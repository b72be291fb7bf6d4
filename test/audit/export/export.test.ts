import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exporterFor, queryAudit, type StoredEntry } from '../../../src/audit/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from '../support.ts';

async function stored(t: Parameters<typeof temporaryDirectory>[0]): Promise<StoredEntry[]> {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const at = (second: number) => `2026-07-28T10:00:0${second}.123Z`;
  trail.outcome(record({ timestamp: at(0), trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) }));
  trail.outcome(
    record({
      timestamp: at(1),
      result: 'denied_scope',
      reason: 'scope_missing',
      detail: 'needs notes:write',
    }),
  );
  trail.outcome(
    record({
      timestamp: at(2),
      subject: null,
      client_id: null,
      token_id: null,
      address: null,
      result: 'denied_auth',
    }),
  );
  await trail.intent(intent({ timestamp: at(3) }));
  trail.event({ timestamp: at(4), event: 'signin.failed', subject: 'bob', data: { attempts: 3 } });
  await trail.flush();
  return [...queryAudit(dataDir, { order: 'oldest', events: true })];
}

const lines = (format: 'ocsf' | 'ecs', entries: readonly StoredEntry[]) =>
  entries.map((entry) => JSON.parse(exporterFor(format).line(entry)));

test('OCSF: what the class and its objects require is there, for every kind of entry', async (t) => {
  const entries = await stored(t);
  const [ok, denied, stranger, unknown, event] = lines('ocsf', entries);
  for (const one of [ok, denied, stranger, unknown, event]) {
    assert.equal(one.metadata.version, '1.8.0');
    assert.equal(one.metadata.product.name, 'Portcullis');
    assert.equal(one.type_uid, one.class_uid * 100 + one.activity_id);
    assert.ok(
      Number.isInteger(one.time) && Number.isInteger(one.severity_id) && Number.isInteger(one.category_uid),
    );
  }
  for (const call of [ok, denied, stranger, unknown]) {
    assert.equal(call.class_uid, 6003);
    assert.ok(call.api.operation && call.api.request.uid);
    assert.ok(call.actor.user.uid ?? call.actor.user.name);
    assert.ok(call.src_endpoint.ip ?? call.src_endpoint.name);
  }
  assert.equal(ok.time, Date.parse('2026-07-28T10:00:00.123Z'));
  assert.deepEqual([ok.status_id, ok.action_id, ok.disposition_id], [1, 1, 1]);
  assert.deepEqual(ok.trace, { uid: 'a'.repeat(32), span: { uid: 'b'.repeat(16) } });
  assert.deepEqual(ok.metadata.profiles, ['security_control', 'trace']);
  assert.deepEqual([denied.status_id, denied.action_id, denied.disposition_id], [2, 2, 26]);
  assert.equal(denied.api.response.error, 'scope_missing');
  assert.equal(denied.policy.name, 'tools[2]');
  assert.equal(unknown.status_id, 0);
  assert.equal(event.class_uid, 0);
  assert.equal(event.unmapped.subject, 'bob');
  assert.deepEqual(event.unmapped.data, { attempts: 3 });
});

test('OCSF: nothing of a record is left out', async (t) => {
  for (const entry of await stored(t)) {
    const text = exporterFor('ocsf').line(entry);
    for (const [name, value] of Object.entries(entry)) {
      if (typeof value !== 'string' || ['phase', 'result_class'].includes(name)) continue;
      const there = name === 'received_at' ? String(Date.parse(value)) : JSON.stringify(value).slice(1, -1);
      assert.ok(text.includes(there), `${name} of ${entry.phase}`);
    }
  }
});

test('ECS: its own fields and allowed values; the rest below portcullis', async (t) => {
  const [ok, denied, , unknown, event] = lines('ecs', await stored(t));
  assert.equal(ok['@timestamp'], '2026-07-28T10:00:00.123Z');
  assert.deepEqual(ok.event.category, ['api']);
  assert.deepEqual([ok.event.type, ok.event.outcome], [['access', 'allowed'], 'success']);
  assert.equal(ok.event.duration, 12_250_000);
  assert.equal(ok.gen_ai.tool.name, 'create_note');
  assert.equal(ok.user.id, 'alice');
  assert.equal(ok.http.response.status_code, 200);
  assert.deepEqual([denied.event.type, denied.event.outcome], [['access', 'denied'], 'failure']);
  assert.equal(denied.portcullis.result, 'denied_scope');
  assert.equal(unknown.event.outcome, 'unknown');
  assert.deepEqual(event.event.category, ['authentication']);
  assert.equal(event.event.outcome, 'failure');
});

test('CSV: no cell is a formula, no value makes a line, columns stay in place', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  const attacks = [
    '=HYPERLINK("http://x","y")',
    '+1+1',
    '-2+3',
    '@SUM(1)',
    '\t=1',
    '＝1',
    '|calc',
    'a,"b"\r\nc',
  ];
  for (const tool_name of attacks)
    trail.outcome(record({ tool_name, detail: tool_name, subject: tool_name }));
  await trail.flush();
  const { head, line } = exporterFor('csv');
  const names = head.trimEnd().split(',');
  for (const entry of queryAudit(dataDir)) {
    const text = line(entry);
    assert.ok(text.endsWith('\r\n') && !text.slice(0, -2).includes('\n'));
    const cells = text.trimEnd().match(/(?<=^|,)(?:"(?:[^"]|"")*"|[^,"]*)(?=,|$)/g) ?? [];
    assert.equal(cells.length, names.length);
    for (const cell of cells) assert.doesNotMatch(cell, /^"?[=+\-@\t|%＝＋－＠]/, cell);
  }
});
