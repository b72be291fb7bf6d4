// How long the queries of the audit log in PostgreSQL take, and by which indexes:
// `node bench/audit-query-postgres.ts [--records 2000000] [--minutes 20]`. About 2 kB of disk a record, removed at the end. Where the time
// is over it measures with the records that there are.
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import {
  type AuditFilter,
  type AuditSource,
  queryEntries,
  statsOf,
  tailEntries,
  traceOf,
} from '../src/audit/index.ts';
import { pgAuditMigrations } from '../src/audit/postgres-schema.ts';
import { sourceOf } from '../src/audit/read/postgres.ts';
import { Secret, sha256Hex, silentLog, timestamp } from '../src/base/index.ts';
import { connectPostgres, migratePostgres, type PgQueries, type Postgres } from '../src/store/index.ts';
import { startPostgres } from '../test/support/postgres/index.ts';

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '2000000' },
    minutes: { type: 'string', default: '20' },
  },
});
let records = Number(values.records);
const bytesEach = 2_500;
const atOnce = 100_000;
const last = Math.floor(Date.now() / 3_600_000) * 3_600_000;
const say = (text: string) => void process.stdout.write(`${text}\n`);
const requestId = (index: number) => `request-${String(index).padStart(9, '0')}`;

/** 2,000 people, 50 clients, 40 tools; one in a hundred denied; one person, token and tool that are rare. A call each 250 ms. */
const insert = `
  INSERT INTO portcullis.records (at, writer, position, hash, latency_ms, phase, timestamp, request_id, client_id, subject, tool_name,
    arguments_hash, result, result_class, reason, organization, token_id, address, server, entry)
  SELECT now(), 1, i + 1, decode(repeat('ab', 32), 'hex'), 1 + i % 200, 'outcome', time, id, client, subject, tool, hash, result, class, reason,
    organization, token, address, 'notes', json_build_object('phase', 'outcome', 'timestamp', time, 'request_id', id, 'client_id', client,
      'subject', subject, 'tool_name', tool, 'arguments_hash', hash, 'result', result, 'reason', reason, 'organization', organization,
      'token_id', token, 'address', address, 'server', 'notes', 'detail', repeat('x', 300))::text
  FROM generate_series($1::bigint, $2::bigint) AS i, LATERAL (SELECT i % 100000 = 77 AS rare, i % 100 = 7 AS denied) AS kind, LATERAL (SELECT
    to_char(to_timestamp($3::float8 / 1000 - ($4::bigint - i) * 0.25), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time,
    'request-' || lpad(i::text, 9, '0') AS id, 'https://client' || i % 50 || '.example/metadata.json' AS client,
    CASE WHEN rare THEN 'rare-person' ELSE 'person-' || (i * 7919) % 2000 END AS subject,
    CASE WHEN rare THEN 'rare_tool' ELSE 'tool_' || i % 40 END AS tool,
    'hmac-sha256:0123abcd:' || encode(sha256(i::text::bytea), 'hex') AS hash,
    CASE WHEN denied THEN 'denied_scope' ELSE 'success' END AS result, CASE WHEN denied THEN 'denied_auth' ELSE 'success' END AS class,
    CASE WHEN denied THEN 'scope_missing' ELSE 'ok' END AS reason,
    CASE WHEN rare THEN 'rare-organization' ELSE 'organization-' || i % 20 END AS organization,
    CASE WHEN rare THEN 'rare-token' ELSE 'token-' || i / 200 END AS token,
    CASE WHEN rare THEN '192.0.2.77' ELSE '10.0.' || i % 16 || '.' || i % 250 END AS address) AS call`;

/** As a gateway does: where a vacuum is at it, another time. */
async function summarise(database: Postgres): Promise<boolean> {
  return database.query('SELECT portcullis.summarise()').then(
    () => true,
    () => false,
  );
}

async function build(database: Postgres): Promise<void> {
  await migratePostgres(database, pgAuditMigrations);
  await database.query('SELECT portcullis.prepare()');
  await database.query("INSERT INTO portcullis.writers (writer) VALUES ('bench')");
  const from = performance.now();
  const until = from + Number(values.minutes) * 60_000;
  for (let start = 0; start < records; start += atOnce) {
    await database.query(insert, [start, Math.min(start + atOnce, records) - 1, last, records]);
    await summarise(database);
    if (performance.now() > until) records = Math.min(records, start + atOnce);
  }
  while (!(await summarise(database))) await new Promise((resolve) => setTimeout(resolve, 1_000));
  say(`built ${records} rows in ${Math.round((performance.now() - from) / 1000)} s`);
  const { rows } = await database.query(
    `SELECT pg_size_pretty(sum(pg_table_size(inhrelid))) AS size FROM pg_inherits WHERE inhparent = 'portcullis.records'::regclass
     UNION ALL SELECT pg_size_pretty(sum(pg_relation_size(inhrelid))) FROM pg_inherits WHERE inhparent = 'portcullis.records_values'::regclass`,
  );
  say(`the table has ${rows[0]?.['size']}, its index of values ${rows[1]?.['size']}`);
}

const filters: readonly (readonly [string, AuditFilter])[] = [
  ['newest 100', {}],
  ['one day', { since: timestamp(last - 86_400_000) }],
  ['client', { client: 'https://client7.example/metadata.json' }],
  ['subject', { subject: 'person-77' }],
  ['rare subject', { subject: 'rare-person' }],
  ['rare tool', { tool: 'rare_tool' }],
  [
    'client + tool + result',
    { client: 'https://client7.example/metadata.json', tool: 'tool_7', result: 'denied_scope' },
  ],
  ['result class', { result: 'denied_auth' }],
  ['reason that never came', { reason: 'token_expired' }],
  ['jti', { tokenId: 'rare-token' }],
  ['hash', { argumentsHash: `hmac-sha256:0123abcd:${sha256Hex(String(records >> 1))}` }],
  ['organization', { organization: 'rare-organization' }],
  ['address', { address: '192.0.2.77' }],
  ['request id', { requestId: requestId(records >> 1) }],
  ['unknown fate', { result: 'unknown' }],
];

async function timed(work: () => Promise<unknown>): Promise<string> {
  const from = performance.now();
  await work();
  return (performance.now() - from).toFixed(1).padStart(9);
}

async function drain(entries: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of entries) count += 1;
  return count;
}

/** Each partition has its own of each. */
function nameOf(index: string): string {
  const name = index.replace(/^records_\d+_/, '');
  return name.startsWith('left_') ? 'records_values' : `records (${name.replace(/_idx$/, '')})`;
}

/** The same source, whose statements are explained first. */
function explained(database: Postgres, told: Set<string>): AuditSource {
  const explaining = (queries: PgQueries): PgQueries => ({
    async query(sql, parameters) {
      if (/^\s*(SELECT|\(SELECT)/.test(sql)) {
        const { rows } = await queries.query(`EXPLAIN ${sql}`, parameters);
        for (const row of rows) {
          const index = /(Index (Only )?Scan|Bitmap Index Scan).*? (using|on) (records_\S+)/.exec(
            String(row['QUERY PLAN']),
          );
          if (index) told.add(`${index[1]} ${nameOf(String(index[4]))}`);
        }
      }
      return queries.query(sql, parameters);
    },
  });
  const transaction: Postgres['transaction'] = (work) =>
    database.transaction((queries) => work(explaining(queries)));
  return sourceOf({ ...database, ...explaining(database), transaction });
}

async function measure(database: Postgres): Promise<void> {
  const source = sourceOf(database);
  for (const [name, filter] of filters) {
    let found = 0;
    const ms = await timed(async () => {
      found = await drain(queryEntries(source, { ...filter, limit: 100 }));
    });
    say(`${name.padEnd(26)}${ms} ms  ${found} found`);
    const told = new Set<string>();
    await drain(queryEntries(explained(database, told), { ...filter, limit: 100 }));
    for (const step of told) say(`    ${step}`);
  }
  const others: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['tail (20 lines)', () => drain(tailEntries(source, { filter: {}, lines: 20, follow: null }))],
    ['trace', () => traceOf(source, requestId(records >> 1))],
    ['stats of one day', () => statsOf(source, { since: timestamp(last - 86_400_000) }, 10)],
  ];
  for (const [name, work] of others) say(`${name.padEnd(26)}${await timed(work)} ms`);
}

const { bavail, bsize } = statfsSync(tmpdir());
const room = bavail * bsize;
if (room < records * bytesEach * 1.5) {
  say(`${records} records need ${Math.round((records * bytesEach * 1.5) / 1e9)} GB free in ${tmpdir()}`);
  process.exit(1);
}
const server = await startPostgres(['fsync=off', 'max_wal_size=4GB']);
try {
  const options = { url: new Secret(server.url), log: silentLog, connections: 2, statementMs: 600_000 };
  const database = await connectPostgres({ ...options, schema: 'portcullis' });
  await build(database);
  await database.close();
  // As the commands read.
  const reading = await connectPostgres({ ...options, schema: 'portcullis', readOnly: true });
  await measure(reading);
  await reading.close();
} finally {
  await server.close();
}
