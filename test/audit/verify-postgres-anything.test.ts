import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import pg from 'pg';
import { type AuditStore, verifyAudit } from '../../src/audit/index.ts';
import { Secret, timestamp } from '../../src/base/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from './support.ts';

// As verify-anything.test.ts, in PostgreSQL, by a superuser for whom no guard and no foreign key holds.

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

/** By table: what names a row, and the columns that nobody reads an entry by (the order and time of commits, and a fence). */
const tables = {
  records: { key: 'seq', idle: ['seq', 'at'] },
  writers: { key: 'id', idle: [] },
  heads: { key: 'writer', idle: ['epoch', 'at', 'watched'] },
  open_calls: { key: 'request_id', idle: [] },
} as const satisfies Record<string, { key: string; idle: readonly string[] }>;
const numbers: readonly string[] = ['id', 'writer', 'position', 'latency_ms'];

async function twoRuns(t: TestContext, server: PostgresServer): Promise<AuditStore> {
  const store = { dataDir: temporaryDirectory(t), postgres: { url: new Secret(server.url) } };
  for (const run of [1, 2]) {
    const trail = await openTrailFor(t, store.dataDir, { postgres: store.postgres });
    for (let at = 0; at < 5; at += 1) {
      const one = intent({ subject: `user-${run}-${at}` });
      await trail.intent(one);
      if (at !== 3) trail.outcome(record({ request_id: one.request_id, subject: one.subject }));
    }
    trail.event({ timestamp: timestamp(0), event: 'token.issued', subject: 'alice', data: { jti: 'x' } });
    await trail.close();
  }
  return store;
}

/** What the column would rather not say; a text stays one. */
function otherThan(value: unknown, { name, at, by }: { name: string; at: number; by: number }): unknown {
  // `writers.writer` is a name.
  if (numbers.includes(name) && (value === null || !Number.isNaN(Number(value)))) return Number(value) + by;
  if (value === null) return 'x';
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value));
  if (bytes.length === 0) return 'x';
  const place = at % bytes.length;
  const before = bytes[place] ?? 0;
  bytes[place] = value instanceof Uint8Array ? before ^ by : 97 + ((before + by) % 26);
  return value instanceof Uint8Array ? bytes : bytes.toString();
}

test('any value of any column of any table that is changed, any row removed or doubled, any tail cut is found', {
  skip,
}, async (t) => {
  const server = await startPostgres(['fsync=off']);
  const client = new pg.Client({ connectionString: server.url });
  t.after(async () => {
    await client.end();
    await server.close();
  });
  const store = await twoRuns(t, server);
  assert.deepEqual((await verifyAudit(store)).findings, []);
  await client.connect();
  await client.query('SET session_replication_role = replica; SET search_path = portcullis');
  for (const table of Object.keys(tables))
    await client.query(`CREATE TEMP TABLE ${table}_before AS TABLE ${table}`);
  const restore = async (table: string) => {
    await client.query(`DELETE FROM ${table}`);
    await client.query(`INSERT INTO ${table} OVERRIDING SYSTEM VALUE SELECT * FROM ${table}_before`);
  };
  const change = fc.record({
    table: fc.constantFrom('records', 'records', 'writers', 'heads', 'open_calls') as fc.Arbitrary<
      keyof typeof tables
    >,
    kind: fc.constantFrom('value', 'value', 'value', 'remove', 'double', 'cut'),
    row: fc.nat(),
    column: fc.nat(),
    at: fc.nat(),
    by: fc.integer({ min: 1, max: 25 }),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ table, kind, row, column, at, by }) => {
      const { key, idle }: { key: string; idle: readonly string[] } = tables[table];
      const { rows, fields } = await client.query(`SELECT * FROM ${table} ORDER BY ${key}`);
      const chosen = rows[row % rows.length] as Record<string, unknown>;
      const names = fields.map((field) => field.name).filter((name) => !idle.includes(name));
      const name = names[column % names.length] ?? assert.fail();
      try {
        if (kind === 'value') {
          const value = otherThan(chosen[name], { name, at, by });
          fc.pre(value !== chosen[name]);
          await client.query(`UPDATE ${table} SET ${name} = $1 WHERE ${key} = $2`, [value, chosen[key]]);
        } else if (kind === 'remove') {
          await client.query(`DELETE FROM ${table} WHERE ${key} = $1`, [chosen[key]]);
        } else if (kind === 'double') {
          fc.pre(table === 'records');
          await client.query(
            `INSERT INTO records SELECT (json_populate_record(one, '{"at": "${new Date().toISOString()}", "seq": 9000}')).*
             FROM records AS one WHERE seq = $1`,
            [chosen[key]],
          );
        } else {
          fc.pre(table === 'records');
          const { writer, position } = chosen;
          await client.query('DELETE FROM records WHERE writer = $1 AND position >= $2', [writer, position]);
          await client.query(
            `UPDATE heads SET position = $2, hash = (SELECT hash FROM records WHERE writer = $1 AND position = $2) WHERE writer = $1`,
            [writer, Number(position) - 1],
          );
        }
        const { ok } = await verifyAudit(store);
        assert.equal(ok, false, `${kind} ${table}.${name} ${String(chosen[key])}`);
      } catch (error) {
        fc.pre(!/duplicate key|violates|only be updated to DEFAULT/.test(String(error))); // nobody can do that
        throw error;
      } finally {
        for (const each of table === 'records' ? ['records', 'heads'] : [table]) await restore(each);
      }
    }),
    { numRuns: 60 },
  );
  assert.deepEqual((await verifyAudit(store)).findings, []);
});
