import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import {
  type AuditFilter,
  type AuditQuery,
  type AuditRecord,
  auditFile,
  createAuditTrail,
  openAuditSource,
  queryAudit,
  type StoredEntry,
  traceOf,
} from '../../src/audit/index.ts';
import { segmentSize } from '../../src/audit/prints.ts';
import { pageRows } from '../../src/audit/read/sqlite-page.ts';
import { auditMigrations } from '../../src/audit/schema.ts';
import { silentLog, systemClock, timestamp } from '../../src/base/index.ts';
import { type Db, openDbForReading } from '../../src/store/index.ts';
import { intent, record, until, verify } from './support.ts';

const start = Date.parse('2026-07-28T10:00:00.000Z');
/** Two full segments and a rest that is not indexed. */
const calls = segmentSize + 2_000;
const requestId = (index: number) => `request-${index}`;

describe('segments that are indexed', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-postings-'));
  before(async () => {
    const trail = await createAuditTrail({
      dataDir,
      clock: systemClock,
      log: silentLog,
      closeWithinMs: 60_000,
    });
    for (let index = 0; index < calls; index += 1) {
      const one = callAt(index);
      void trail.intent(intent({ ...one, result: null, reason: null, latency_ms: null }));
      trail.outcome(record(one));
      if (index % 1_000 === 999) await trail.flush();
      if (index % 500 === 7)
        trail.event({ timestamp: timeAt(index), event: 'a.b', request_id: requestId(index) });
    }
    await trail.flush();
    const db = new DatabaseSync(auditFile(dataDir), { readOnly: true });
    await until(
      () => Number(db.prepare('SELECT min(segments) AS least FROM indexed').get()?.['least']) === 2,
      30_000,
    );
    db.close();
    await trail.close();
  });
  after(() => rmSync(dataDir, { recursive: true, force: true }));

  const filters: readonly AuditFilter[] = [
    {},
    { events: true },
    { event: 'a.b' },
    { subject: 'rare' },
    { subject: 'rare', since: timeAt(9_000), until: timeAt(14_000) },
    { subject: 'person-3' },
    { client: 'client-1' },
    { client: 'client-1', tool: 'tool-2', organization: 'organization-1' },
    { result: 'denied_auth' },
    { result: 'denied_scope', client: 'client-0' },
    { result: 'success', subject: 'person-3' },
    { reason: 'scope_missing' },
    { reason: 'ok', tool: 'tool-1' },
    { requestId: requestId(7) },
    { requestId: requestId(7), events: true },
    { requestId: requestId(calls - 1) },
    { tokenId: 'token-12' },
    { argumentsHash: 'hash-77' },
    { address: '10.0.0.9' },
    { subject: 'nobody' },
  ];

  it('answer as reading everything does, in both orders, page by page', () => {
    const everything = [...queryAudit(dataDir, { events: true, order: 'oldest' })];
    for (const filter of filters) {
      for (const order of ['oldest', 'newest'] as const) {
        const expected = everything.filter((entry) => matches(entry, filter)).map(({ seq }) => seq);
        if (order === 'newest') expected.reverse();
        const what = `${JSON.stringify(filter)} ${order}`;
        assert.deepEqual(seqs(dataDir, { ...filter, order, limit: 1_700 }), expected.slice(0, 1_700), what);
      }
    }
  });

  it('give all of a call', async () => {
    const source = await openAuditSource({ dataDir, postgres: null }, silentLog);
    for (const index of [7, calls - 1]) {
      const trace = await traceOf(source, requestId(index));
      assert.ok(trace?.intent && trace.outcome);
      assert.equal(trace.events.length, index === 7 ? 1 : 0);
    }
    await source.close();
  });

  it('are found by their keys: no query reads the table', () => {
    const real = openDbForReading(auditFile(dataDir), auditMigrations);
    const steps: string[] = [];
    const watched: Db = {
      ...real,
      prepare(sql) {
        const statement = real.prepare(sql);
        const plan = real.prepare(`EXPLAIN QUERY PLAN ${sql}`);
        return {
          ...statement,
          all(parameters) {
            steps.push(...plan.all(parameters).map(({ detail }) => String(detail)));
            return statement.all(parameters);
          },
        };
      },
    };
    for (const filter of filters) {
      steps.length = 0;
      pageRows(watched, { ...filter, order: 'newest' }, { last: undefined, count: 5 });
      const what = `${JSON.stringify(filter)}: ${steps.join(' | ')}`;
      assert.ok(!steps.some((step) => /^SCAN records$/.test(step)), what);
      const indexed = steps.some((step) => /records USING (INDEX records_|INTEGER PRIMARY KEY)/.test(step));
      assert.ok(indexed, what);
    }
    real.close();
  });

  it('are as they were made', async () => assert.deepEqual((await verify(dataDir)).findings, []));

  const attacks: Readonly<Record<string, string>> = {
    'a posting is taken out': "DELETE FROM postings WHERE kind = 'subject' AND term = 'rare' AND segment = 1",
    'a place in a posting is another':
      "UPDATE postings SET places = replace(places, ',', ',9') WHERE kind = 'client_id' AND term = 'client-1'",
    'a posting is no list of JSON':
      "UPDATE postings SET places = replace(places, ',', 'x') WHERE kind = 'client_id' AND segment = 0",
    'a posting has other brackets':
      "UPDATE postings SET places = '(' || substr(places, 2) WHERE kind = 'client_id' AND segment = 0",
    'a posting is no list': "UPDATE postings SET places = 'x' WHERE kind = 'client_id' AND segment = 0",
    'a posting has another value':
      "UPDATE postings SET term = 'x' WHERE kind = 'address' AND term = '10.0.0.9' AND segment = 0",
    'all postings of a kind are taken out': "DELETE FROM postings WHERE kind = 'tool_name' AND segment = 1",
    'all fingerprints of a kind are taken out':
      "DELETE FROM prints WHERE kind = 'request_id' AND segment = 1",
    'fingerprints are others':
      "UPDATE prints SET prints = zeroblob(length(prints)) WHERE kind = 'token_id' AND segment = 0",
    'fingerprints are cut short':
      "UPDATE prints SET prints = substr(prints, 9) WHERE kind = 'arguments_hash'",
    'a span of time is shorter': 'UPDATE segments SET newest = oldest WHERE segment = 1',
    'a segment is not listed': 'DELETE FROM segments WHERE segment = 0',
    'more is said to be indexed than is': "UPDATE indexed SET segments = 9 WHERE kind = 'subject'",
  };
  for (const [name, sql] of Object.entries(attacks)) {
    it(`do not hide an entry unseen: ${name}`, async () => {
      const copy = mkdtempSync(join(tmpdir(), 'portcullis-postings-'));
      try {
        copyFileSync(auditFile(dataDir), auditFile(copy));
        copyFileSync(join(dataDir, 'audit-keys.json'), join(copy, 'audit-keys.json'));
        mkdirSync(join(copy, 'audit-checkpoints'));
        cpSync(join(dataDir, 'audit-checkpoints'), join(copy, 'audit-checkpoints'), { recursive: true });
        const db = new DatabaseSync(auditFile(copy));
        assert.ok(Number(db.prepare(sql).run().changes) > 0);
        db.close();
        const { findings } = await verify(copy);
        assert.ok(
          findings.some(({ kind }) => kind === 'index'),
          JSON.stringify(findings),
        );
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    });
  }
});

function timeAt(index: number): string {
  // Out of order now and then: what was seen first may end last.
  return timestamp(start + (index % 50 === 0 ? index - 3_000 : index) * 100);
}

function callAt(index: number): Partial<AuditRecord> {
  const denied = index % 97 === 5;
  return {
    timestamp: timeAt(index),
    request_id: requestId(index),
    client_id: `client-${index % 3}`,
    subject: index % 4_001 === 11 ? 'rare' : `person-${index % 40}`,
    tool_name: `tool-${index % 5}`,
    organization: `organization-${index % 2}`,
    token_id: `token-${index % 300}`,
    arguments_hash: `hash-${index}`,
    address: `10.0.0.${index % 20}`,
    result: denied ? 'denied_scope' : 'success',
    reason: denied ? 'scope_missing' : 'ok',
  };
}

function seqs(dataDir: string, query: AuditQuery): number[] {
  return [...queryAudit(dataDir, query)].map(({ seq }) => seq);
}

/** The filter said once more, over entries. */
function matches(entry: StoredEntry, filter: AuditFilter): boolean {
  if (entry.phase === 'event' && !filter.events && filter.event === undefined) return false;
  const all = entry as unknown as Readonly<Record<string, unknown>>;
  const same = (name: string, value: string | undefined) => value === undefined || all[name] === value;
  const { since = '', until: end = '~', result } = filter;
  return (
    same('event', filter.event) &&
    same('subject', filter.subject) &&
    same('client_id', filter.client) &&
    same('tool_name', filter.tool) &&
    same('organization', filter.organization) &&
    same('token_id', filter.tokenId) &&
    same('arguments_hash', filter.argumentsHash) &&
    same('address', filter.address) &&
    same('reason', filter.reason) &&
    same('request_id', filter.requestId) &&
    (result === undefined || all['result'] === result || all['result_class'] === result) &&
    entry.timestamp >= since &&
    entry.timestamp < end
  );
}
