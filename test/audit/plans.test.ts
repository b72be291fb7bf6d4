import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { AuditFilter } from '../../src/audit/index.ts';
import { pageOf } from '../../src/audit/sql.ts';
import { openTrailFor, record, temporaryDirectory } from './support.ts';

/** Filters and the index that must answer them. Common values alone are found by walking from the newest. */
const filters: readonly [AuditFilter, string][] = [
  [{}, 'records_timestamp'],
  [{ since: '2026-01-01T00:00:00.000Z' }, 'records_timestamp'],
  [{ events: true }, 'records_timestamp'],
  [{ result: 'success' }, 'records_timestamp'],
  [{ client: 'x' }, 'records_client'],
  [{ subject: 'x' }, 'records_subject'],
  [{ tool: 'x' }, 'records_tool'],
  [{ requestId: 'x' }, 'records_request'],
  [{ tokenId: 'x' }, 'records_token'],
  [{ argumentsHash: 'x' }, 'records_hash'],
  [{ address: 'x' }, 'records_address'],
  [{ organization: 'x' }, 'records_organization'],
  [{ reason: 'scope_missing' }, 'records_reason'],
  [{ result: 'denied_scope' }, 'records_result'],
  [{ result: 'denied_auth' }, 'records_class'],
  [{ event: 'x' }, 'records_event'],
  [{ result: 'unknown' }, 'records_request'],
];

test('no query reads the whole table', async (t) => {
  const trail = await openTrailFor(t, temporaryDirectory(t));
  trail.outcome(record());
  await trail.flush();
  const db = new DatabaseSync(trail.file, { readOnly: true });
  t.after(() => db.close());
  const last = { timestamp: '2026-01-01T00:00:00.000Z', seq: 5 } as Parameters<typeof pageOf>[1]['last'];
  for (const [filter, index] of filters) {
    for (const place of [
      { last: undefined, count: 5 },
      { last, count: 5 },
    ]) {
      for (const order of ['newest', 'oldest'] as const) {
        const { sql, parameters } = pageOf({ ...filter, order }, place);
        const steps = db
          .prepare(`EXPLAIN QUERY PLAN ${sql}`)
          .all(parameters)
          .map(({ detail }) => String(detail));
        const what = `${JSON.stringify(filter)} ${order}: ${steps.join(' | ')}`;
        assert.ok(
          steps.some(
            (step) => step.includes(`records USING INDEX ${index} `) || step.endsWith(`USING INDEX ${index}`),
          ),
          what,
        );
        for (const step of steps)
          assert.doesNotMatch(step, /^SCAN records(?! USING INDEX records_timestamp)/, what);
      }
    }
  }
});
