// How long the queries of the embedded audit log take, and by which plan:
// `node bench/audit-query.ts [--records 10000000] [--dir DIR]`. About 15 GB of disk, removed at the end unless DIR is named: then
// it is used again. Build it with time to spare: ten million take several minutes.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type AuditEntry,
  type AuditFilter,
  auditFile,
  createAuditTrail,
  openAuditSource,
  queryEntries,
  statsOf,
  tailEntries,
  traceOf,
} from '../src/audit/index.ts';
import { pageRows } from '../src/audit/read/sqlite-page.ts';
import { createStamp, writeCall } from '../src/audit/record.ts';
import { auditMigrations } from '../src/audit/schema.ts';
import { batchOf, insertStatement, rowsOf } from '../src/audit/sinks/sqlite-batch.ts';
import { Indexer } from '../src/audit/sinks/sqlite-indexer.ts';
import { sha256Hex, silentLog, systemClock, timestamp } from '../src/base/index.ts';
import { type Db, openDb, openDbForReading } from '../src/store/index.ts';

const { values } = parseArgs({
  options: { records: { type: 'string', default: '10000000' }, dir: { type: 'string' } },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);
const rows = Number(values.records);
const dataDir = values.dir ?? mkdtempSync(join(tmpdir(), 'portcullis-bench-query-'));
const atOnce = 10_000;
const spacingMs = 250;
const last = Math.floor(Date.now() / 3_600_000) * 3_600_000;
const requestId = (index: number) => `request-${String(index).padStart(9, '0')}`;

if (!existsSync(auditFile(dataDir))) await build();
await measure();
if (values.dir === undefined) rmSync(dataDir, { recursive: true, force: true });

/** By the statements of the sink, but without its fsyncs and without a chain: what is measured is reading. */
async function build(): Promise<void> {
  const trail = await createAuditTrail({ dataDir, clock: systemClock, log: silentLog });
  trail.event({ timestamp: timestamp(last), event: 'gateway.started' });
  await trail.flush();
  await trail.close();
  const db = openDb(auditFile(dataDir), auditMigrations);
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -65536');
  const insert = insertStatement(db);
  const indexer = new Indexer(db);
  const from = performance.now();
  for (let start = 0; start < rows; start += atOnce) {
    const batch = batchOf(entriesFrom(start, Math.min(start + atOnce, rows)));
    db.transaction(() => {
      for (const { values: row } of rowsOf(batch)) insert.run([1, ...row]);
    });
    while (indexer.waiting() > 0) indexer.step();
  }
  say(`built ${rows} rows in ${Math.round((performance.now() - from) / 1000)} s`);
  db.close();
}

function entriesFrom(start: number, end: number): AuditEntry[] {
  const stamp = createStamp(systemClock, 'bench:1')('outcome');
  return Array.from({ length: end - start }, (_, at): AuditEntry => {
    const { record, text } = writeCall(callAt(start + at), stamp);
    return { position: start + at + 10, phase: 'outcome', record, text, hash: '0'.repeat(64) };
  });
}

/** 2,000 people, 50 clients, 40 tools; one in a hundred denied; one person, token and tool that are rare. */
function callAt(index: number): Parameters<typeof writeCall>[0] {
  const rare = index % 100_000 === 77;
  const denied = index % 100 === 7;
  return {
    timestamp: timestamp(last - (rows - index) * spacingMs),
    request_id: requestId(index),
    client_id: `https://client${index % 50}.example/metadata.json`,
    subject: rare ? 'rare-person' : `person-${(index * 7919) % 2_000}`,
    tool_name: rare ? 'rare_tool' : `tool_${index % 40}`,
    arguments_hash: `hmac-sha256:0123abcd:${sha256Hex(String(index))}`,
    scopes: ['mcp:tools:read'],
    result: denied ? 'denied_scope' : 'success',
    latency_ms: 1 + (index % 200),
    reason: denied ? 'scope_missing' : 'ok',
    detail: null,
    server: 'notes',
    method: 'tools/call',
    target: null,
    issuer: 'https://issuer.example',
    organization: rare ? 'rare-organization' : `organization-${index % 20}`,
    token_id: rare ? 'rare-token' : `token-${Math.floor(index / 200)}`,
    protocol_version: '2026-07-28',
    rule: 'tools[2]',
    scopes_required: ['mcp:tools:read'],
    http_status: denied ? 403 : 200,
    address: rare ? '192.0.2.77' : `10.0.${index % 16}.${index % 250}`,
  };
}

async function measure(): Promise<void> {
  const source = await openAuditSource({ dataDir, postgres: null }, silentLog);
  const middle = rows >> 1;
  const filters: readonly [string, AuditFilter][] = [
    ['newest 100', {}],
    ['one day', { since: timestamp(last - 86_400_000) }],
    ['client', { client: 'https://client7.example/metadata.json' }],
    ['rare subject', { subject: 'rare-person' }],
    ['rare tool', { tool: 'rare_tool' }],
    [
      'client + tool + result',
      { client: 'https://client7.example/metadata.json', tool: 'tool_7', result: 'denied_scope' },
    ],
    ['result class', { result: 'denied_auth' }],
    ['reason', { reason: 'scope_missing' }],
    ['reason that never came', { reason: 'token_expired' }],
    ['jti', { tokenId: 'rare-token' }],
    ['hash', { argumentsHash: callAt(middle).arguments_hash ?? '' }],
    ['organization', { organization: 'rare-organization' }],
    ['address', { address: '192.0.2.77' }],
    ['request id', { requestId: requestId(middle) }],
    ['unknown fate', { result: 'unknown' }],
  ];
  for (const [name, filter] of filters) {
    let found = 0;
    const ms = await timed(async () => {
      for await (const _ of queryEntries(source, { ...filter, limit: 100 })) found += 1;
    });
    say(`${name.padEnd(26)}${ms} ms  ${found} found`);
    for (const step of plansOf(filter)) say(`    ${step}`);
  }
  const others: readonly [string, () => Promise<unknown>][] = [
    ['tail (20 lines)', () => drain(tailEntries(source, { filter: {}, lines: 20, follow: null }))],
    ['trace', () => traceOf(source, requestId(middle))],
    ['stats of one day', () => statsOf(source, { since: timestamp(last - 86_400_000) }, 10)],
  ];
  for (const [name, work] of others) say(`${name.padEnd(26)}${await timed(work)} ms`);
  await source.close();
}

async function timed(work: () => Promise<unknown>): Promise<string> {
  const from = performance.now();
  await work();
  return (performance.now() - from).toFixed(1).padStart(9);
}

async function drain(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of entries);
}

/** The different steps by which `records` and `postings` are read for a page. */
function plansOf(filter: AuditFilter): Set<string> {
  const db = openDbForReading(auditFile(dataDir), auditMigrations);
  const steps = new Set<string>();
  const explaining: Db = {
    ...db,
    prepare(sql) {
      const statement = db.prepare(sql);
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`);
      return {
        ...statement,
        all(parameters) {
          for (const { detail } of plan.all(parameters)) {
            if (/records|postings|segments/.test(String(detail))) steps.add(String(detail));
          }
          return statement.all(parameters);
        },
      };
    },
  };
  pageRows(explaining, filter, { last: undefined, count: 100 });
  db.close();
  return steps;
}
