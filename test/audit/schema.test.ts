import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { auditJsonSchema, queryAudit } from '../../src/audit/index.ts';
import { createStamp, readEntry, writeCall, writeEvent } from '../../src/audit/record.ts';
import type { AuditRecord } from '../../src/audit/trail.ts';
import { systemClock } from '../../src/base/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from './support.ts';

const stamp = createStamp(systemClock, 'test');

function validator(): ValidateFunction {
  const ajv = new Ajv2020({ formats: { uuid: /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/ } });
  return ajv.compile(auditJsonSchema());
}

/** Every field of the superset with a value. */
const full: AuditRecord = record({
  trace_id: 'a'.repeat(32),
  jsonrpc_id: '"7"',
  token_expires_at: '2026-07-28T10:00:00.000Z',
  actor: ['agent', 'relay'],
  principal_type: 'service',
  arguments_bytes: 312,
  capture: 'redacted',
  arguments: '{"a":"[redacted]"}',
  limit_layer: 'tool',
  limit_max: 60,
  limit_remaining: 0,
  retry_after_ms: 812.5,
  would_deny: [{ layer: 'limits', reason: 'limit_tool', rule: null }],
  is_error: false,
  jsonrpc_error_code: -32602,
  latency_gateway_ms: 1.25,
  latency_upstream_ms: 11,
  result_bytes: 90,
});

test('the published schema is the one of the sources', () => {
  const written = readFileSync(new URL('../../schema/audit-record.schema.json', import.meta.url), 'utf8');
  assert.deepEqual(JSON.parse(written), auditJsonSchema(), 'run node scripts/schema.ts');
});

test('what is stored is valid against the schema, canonical, and read back as it was', async (t) => {
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir);
  await trail.intent(intent());
  trail.outcome(full);
  trail.outcome(record({ result: 'denied_scope', tool_name: null, scopes: [] }));
  trail.event({ timestamp: full.timestamp, event: 'a.b', data: { 10: 1, 9: 'x', é: null, a: true } });
  await trail.close();
  const db = new DatabaseSync(trail.file);
  const texts = db
    .prepare('SELECT entry FROM records ORDER BY seq')
    .all()
    .map((row) => String(row['entry']));
  db.close();
  assert.equal(texts.length, 6, 'with what the chain says of itself');
  const validate = validator();
  for (const text of texts) {
    assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors));
    assert.equal(canonicalize(JSON.parse(text)), text);
  }
  const found = [...queryAudit(dataDir)].find((entry) => entry.phase === 'outcome' && entry.limit_max === 60);
  assert.deepEqual({ ...found, ...full }, found);
  assert.ok(found?.phase === 'outcome');
  assert.equal(found.result_class, 'success');
});

test('whatever a caller sends, the entry stays valid and canonical', () => {
  const validate = validator();
  const anything = fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.double(), fc.constant(null));
  // What the clock gives is not what a caller sends.
  const times = ['timestamp', 'token_expires_at'];
  const names = Object.keys(full).filter((name) => !times.includes(name));
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), anything), (wrong) => {
      const { text } = writeCall({ ...full, ...wrong } as AuditRecord, stamp('outcome'));
      assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors));
      assert.equal(canonicalize(JSON.parse(text)), text);
      assert.ok(!text.includes('\n'));
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), anything), (data) => {
      const event = { timestamp: full.timestamp, event: 'a.b', data: data as Record<string, string> };
      const { text, record: made } = writeEvent(event, stamp('event'));
      assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors));
      assert.equal(canonicalize(JSON.parse(text)), text);
      assert.deepEqual(readEntry(text), made);
    }),
  );
});
