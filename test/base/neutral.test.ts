import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createStamp, writeCall, writeEvent } from '../../src/audit/record.ts';
import type { AuditEvent, AuditRecord } from '../../src/audit/trail.ts';
import { neutralText, redact, systemClock } from '../../src/base/index.ts';
import { record } from '../audit/support.ts';

const stamp = createStamp(systemClock, 'test');
const neutralRecord = (one: AuditRecord) => writeCall(one, stamp('outcome')).record;
const neutralEvent = (one: AuditEvent) => writeEvent(one, stamp('event')).record;

const forbidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 900 }),
  fc
    .array(
      fc.constantFrom(
        '\n',
        '\r',
        '\u001b[31m',
        '\u009b',
        '\u202e',
        '\u2066',
        '\u200b',
        '\u2028',
        '\0',
        '\ud800',
        '\u{e0041}',
        '\ufe0f',
        'a',
        '"',
      ),
      { maxLength: 700 },
    )
    .map((parts) => parts.join('')),
);

test('no text from outside comes out with a character that a terminal or a reader obeys', () => {
  fc.assert(
    fc.property(hostileText, fc.integer({ min: 8, max: 500 }), (value, limit) => {
      const shown = neutralText(value, limit);
      assert.ok(!forbidden.test(shown), JSON.stringify(shown));
      assert.ok(shown.length <= limit);
      assert.ok(shown.isWellFormed());
      assert.equal(neutralText(shown, limit), shown, 'applying it twice changes nothing');
    }),
  );
});

test('ordinary text of any language passes unchanged', () => {
  for (const value of ['create_note', 'Grüße, 世界', 'C:\\notes\\a.txt', '𝒳 🙂', '']) {
    assert.equal(neutralText(value, 300), value);
  }
});

test('each hidden character becomes visible', () => {
  assert.equal(neutralText('a\nb\u001b[2J\u202e\u{e0041}', 100), 'a\\u000ab\\u001b[2J\\u202e\\u{e0041}');
});

test('every string of a record comes out bounded and neutral, whatever went in', () => {
  const hostile = fc.record({
    tool_name: hostileText,
    subject: hostileText,
    client_id: hostileText,
    target: hostileText,
    detail: hostileText,
    method: hostileText,
    scopes: fc.array(hostileText, { maxLength: 80 }),
  });
  fc.assert(
    fc.property(hostile, (values) => {
      const neutral = neutralRecord(record(values));
      const text = JSON.stringify(neutral);
      assert.ok(!forbidden.test(text));
      assert.ok((neutral.tool_name ?? '').length <= 200);
      assert.ok((neutral.subject ?? '').length <= 300);
      assert.ok((neutral.detail ?? '').length <= 500);
      assert.ok(neutral.scopes.length <= 65 && neutral.scopes.join('').length <= 4_001);
    }),
    { numRuns: 50 },
  );
});

test('a megabyte in every field is cut, at little cost', () => {
  const huge = 'x'.repeat(1_000_000);
  const neutral = neutralRecord(
    record({ tool_name: huge, target: huge, detail: huge, subject: huge, scopes: [huge] }),
  );
  assert.equal(neutral.tool_name?.length, 200);
  assert.ok(neutral.tool_name?.endsWith('…'));
  assert.ok(JSON.stringify(neutral).length < 4_500);
});

test('values of the wrong type cannot make a row that the store refuses', () => {
  const wrong = { latency_ms: Number.NaN, http_status: 1.5, scopes: 'all', subject: 7, result: 'fine' };
  const neutral = neutralRecord({ ...record(), ...wrong } as never);
  assert.deepEqual(
    [neutral.latency_ms, neutral.http_status, neutral.scopes, neutral.subject, neutral.result],
    [null, null, [], null, null],
  );
});

const part = (text: string) => Buffer.from(text).toString('base64url');
const jwt = `${part('{"alg":"ES256"}')}.${part('{"sub":"alice-canary"}')}.${part('signature-canary')}`;
const credentials: Readonly<Record<string, string>> = {
  jwt,
  bearer: 'Authorization: Bearer canary-opaque.token~1',
  dpop: 'DPoP canarycanary',
  basic: `Basic ${Buffer.from('alice:canary').toString('base64')}`,
  openai: 'sk-proj-canary0123456789',
  github: 'ghp_canary0123456789012345',
  slack: 'xoxb-canary-0123456789',
  url: 'https://alice:canary@upstream.example/mcp',
  query: 'https://upstream.example/?access_token=canary&x=1',
  json: '{"client_secret":"canary"}',
  pem: '-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----',
  cutPem: '-----BEGIN EC PRIVATE KEY-----\ncanary',
};

for (const [name, credential] of Object.entries(credentials)) {
  test(`a credential that slipped through is taken out of every field: ${name}`, () => {
    const text = `upstream said ${credential} and stopped`;
    const secrets = [jwt.split('.')[1] ?? '', 'canary', Buffer.from('alice:canary').toString('base64')];
    const outputs = [
      redact(text),
      JSON.stringify(neutralRecord(record({ detail: text, target: text, tool_name: text, method: text }))),
      JSON.stringify(neutralEvent({ timestamp: '', event: 'x', data: { a: text } })),
      JSON.stringify(neutralRecord(record({ detail: 'y'.repeat(480) + text }))),
    ];
    for (const output of outputs) {
      for (const secret of secrets) assert.ok(!output.includes(secret), output);
    }
  });
}

test('redaction takes time in proportion to the text', () => {
  for (const piece of [
    'eyJ',
    'Bearer ',
    '://',
    '-----BEGIN ',
    'sk-',
    'password',
    'a://b@',
    '-----BEGIN PRIVATE KEY-----',
  ]) {
    const text = piece.repeat(20_000);
    const start = process.hrtime.bigint();
    redact(text);
    assert.ok(process.hrtime.bigint() - start < 2_000_000_000n, piece);
  }
});

test('ordinary details are left alone', () => {
  for (const text of [
    'no bearer token in the request',
    'task-list of alice',
    'https://a.example/b?c=d',
    'risk-assessment-tool',
  ]) {
    assert.equal(redact(text), text);
  }
});
