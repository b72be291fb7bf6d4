import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type AuditQuery, openAuditSource, queryEntries, type StoredEntry } from '../../src/audit/index.ts';
import { sourceOf } from '../../src/audit/read/postgres.ts';
import { oneView, pageRows } from '../../src/audit/read/postgres-page.ts';
import { entryOf } from '../../src/audit/sql.ts';
import { Secret, silentLog, timestamp } from '../../src/base/index.ts';
import { connectPostgres, type PgValue, type Postgres } from '../../src/store/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { intent, openTrailFor, record, temporaryDirectory } from './support.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

describe('pages of the trail in PostgreSQL', { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres(['fsync=off', 'autovacuum=off']);
  });
  after(() => server.close());

  /** Times go forth and back, and are equal; one value is rare, one common, one stands at the beginning alone. */
  const callAt = (index: number) =>
    record({
      request_id: `request-${index}`,
      timestamp: timestamp(Date.UTC(2026, 10, 25) + Math.floor(index / 3) * 40_000 - (index % 5) * 90_000),
      subject: index % 401 === 7 ? 'rare' : `person-${index % 9}`,
      client_id: `client-${index % 3}`,
      token_id: index < 20 ? 'first' : `token-${Math.floor(index / 10)}`,
      server: index % 2 === 0 ? 'notes' : 'files',
      ...(index % 50 === 0 && { result: 'denied_scope', reason: 'scope_missing' }),
    });

  const filters: readonly AuditQuery[] = [
    { subject: 'rare' },
    { client: 'client-1' },
    { tokenId: 'first' },
    { server: 'files', subject: 'person-3' },
    { result: 'denied_scope' },
    { result: 'denied_auth', client: 'client-2' },
    { reason: 'scope_missing' },
    { tokenId: 'never' },
    { subject: 'rare', events: true },
    { subject: 'rare', since: timestamp(Date.UTC(2026, 10, 25, 4)) },
    { subject: 'person-1', until: timestamp(Date.UTC(2026, 10, 25, 4)) },
    {},
  ];

  const atOnce = 40;

  /** Page by page, with a walk that is so short that the index of values is asked. */
  async function paged(database: Postgres, query: AuditQuery, walked: number): Promise<string[]> {
    const found: StoredEntry[] = [];
    for (let count = atOnce; count === atOnce; ) {
      const rows = await database.transaction(async (queries) => {
        await queries.query(oneView);
        const source = sourceOf({ ...database, query: queries.query });
        return pageRows(
          { run: source.run, query, place: { last: found.at(-1), count: atOnce }, walked },
          queries.query,
        );
      });
      found.push(...rows.map(entryOf));
      count = rows.length;
    }
    return found.map(({ seq }) => String(seq));
  }

  it('are the same, in the same order, by the index of values and without, in whatever state it is', async (t) => {
    const url = new Secret(server.url);
    const trail = await openTrailFor(t, temporaryDirectory(t), { postgres: { url } });
    const add = async (from: number, to: number) => {
      for (let index = from; index < to; index += 1) trail.outcome(callAt(index));
      await trail.intent(
        intent({ request_id: `open-${from}`, subject: 'rare', timestamp: callAt(from).timestamp }),
      );
      await trail.flush();
    };
    const database = await connectPostgres({
      url,
      log: silentLog,
      connections: 1,
      statementMs: 30_000,
      schema: 'portcullis',
    });
    t.after(() => database.close());
    const compare = async (state: string) => {
      const source = await openAuditSource({ dataDir: '/nowhere', postgres: { url } }, silentLog);
      t.after(() => source.close());
      for (const filter of filters) {
        for (const order of ['newest', 'oldest'] as const) {
          const query = { ...filter, order };
          const expected: string[] = [];
          for await (const { seq } of queryEntries(source, query)) expected.push(String(seq));
          for (const walked of [3, 200]) {
            const found = await paged(database, query, walked);
            assert.deepEqual(found, expected, `${state}, ${JSON.stringify(query)}, ${walked} walked`);
          }
        }
      }
    };
    await add(0, 900);
    await compare('nothing is summarised');
    await database.query('SELECT summarise()');
    await add(900, 1_300);
    await compare('the beginning is summarised');
    await database.query('SELECT summarise()');
    await compare('all is summarised');
    const first = await paged(database, { tokenId: 'first' }, 30);
    assert.equal(first.length, 20);
  });

  it('go by the index of requests for a request, and by that of events for an event, in the order that a reader is told to read', async (t) => {
    const url = new Secret(server.database('requests'));
    const trail = await openTrailFor(t, temporaryDirectory(t), { postgres: { url } });
    for (let index = 0; index < 2_000; index += 1) trail.outcome(callAt(index));
    trail.event({ timestamp: timestamp(0), event: 'token.issued', request_id: 'request-77' });
    await trail.flush();
    server.sql('ANALYZE portcullis.records', 'requests');
    const options = { url, log: silentLog, connections: 1, statementMs: 30_000, schema: 'portcullis' };
    const database = await connectPostgres({ ...options, readOnly: true });
    t.after(() => database.close());
    const plansOf = async (query: AuditQuery) => {
      const plans: string[] = [];
      const found = await database.transaction((queries) => {
        const { run } = sourceOf({
          ...database,
          async query(sql: string, parameters: readonly PgValue[] = []) {
            const { rows } = await queries.query(`EXPLAIN ${sql}`, parameters);
            plans.push(rows.map((row) => String(row['QUERY PLAN'])).join('\n'));
            return queries.query(sql, parameters);
          },
        });
        return pageRows({ run, query, place: { last: undefined, count: 100 } }, queries.query);
      });
      return { count: found.length, plan: plans.at(-1) ?? '' };
    };
    for (const more of [
      {},
      { since: timestamp(Date.UTC(2026, 9)) },
      { subject: 'person-5' },
      { events: true },
    ]) {
      const { count, plan } = await plansOf({ requestId: 'request-77', ...more });
      assert.match(plan, /request_id_idx/);
      assert.doesNotMatch(plan, /timestamp_seq_idx/);
      assert.equal(count, 'events' in more ? 2 : 1);
    }
    const { count, plan } = await plansOf({ event: 'token.issued' });
    assert.match(plan, /event_timestamp_idx/);
    assert.equal(count, 1);
  });

  it('ask the index of values, and no other, for what is rare', async (t) => {
    const url = new Secret(server.database('plans'));
    const trail = await openTrailFor(t, temporaryDirectory(t), { postgres: { url } });
    for (let index = 0; index < 2_000; index += 1) trail.outcome(callAt(index));
    await trail.flush();
    const database = await connectPostgres({
      url,
      log: silentLog,
      connections: 1,
      statementMs: 30_000,
      schema: 'portcullis',
    });
    t.after(() => database.close());
    await database.query('SELECT summarise()');
    const plans: string[] = [];
    await database.transaction(async (queries) => {
      const source = sourceOf({
        ...database,
        async query(sql: string, parameters: readonly PgValue[] = []) {
          const { rows } = await queries.query(`EXPLAIN ${sql}`, parameters);
          plans.push(rows.map((row) => String(row['QUERY PLAN'])).join('\n'));
          return queries.query(sql, parameters);
        },
      });
      const place = { last: undefined, count: 100 };
      await pageRows({ run: source.run, query: { tokenId: 'first' }, place, walked: 30 }, queries.query);
    });
    const [orphans, walk, edge, ...stretches] = plans;
    assert.match(orphans ?? '', /request_id_idx/);
    for (const plan of [walk, edge]) assert.match(plan ?? '', /timestamp_seq_idx/);
    assert.equal(stretches.length, 2);
    for (const plan of stretches) {
      assert.match(plan, /Bitmap Index Scan on records_\d+_left_client_id/);
      assert.doesNotMatch(plan, /timestamp_seq_idx/);
    }
  });
});
