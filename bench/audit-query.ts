// How long the queries of the audit log take, and by which plan: `node bench/audit-query.ts [ROWS] [DIR]`, 10,000,000 rows by
// default: about 12 GB of disk, removed at the end unless DIR is named (then it is used again).
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  type AuditFilter,
  auditFile,
  createAuditTrail,
  openAuditSource,
  queryEntries,
  statsOf,
  tailEntries,
  traceOf,
} from '../src/audit/index.ts';
import { createStamp, writeCall } from '../src/audit/record.ts';
import { pageOf } from '../src/audit/sql.ts';
import { silentLog, systemClock, timestamp } from '../src/base/index.ts';

const say = (text: string) => void process.stdout.write(`${text}\n`);
const rows = Number(process.argv[2] ?? 10_000_000);
const named = process.argv[3];
const dataDir = named ?? mkdtempSync(join(tmpdir(), 'portcullis-bench-query-'));
const spacingMs = 250;
const last = Date.now();
const requestId = (index: number) => `request-${String(index).padStart(9, '0')}`;

if (!existsSync(auditFile(dataDir))) await build();
await measure();
if (named === undefined) rmSync(dataDir, { recursive: true, force: true });

/** Through the tables that the trail made, but without its fsyncs: what is measured is reading. */
async function build(): Promise<void> {
  const trail = await createAuditTrail({ dataDir, clock: systemClock, log: silentLog });
  trail.event({ timestamp: timestamp(last), event: 'gateway.started' });
  await trail.flush();
  await trail.close();
  const db = new DatabaseSync(auditFile(dataDir));
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -262144');
  const insert = db.prepare('INSERT INTO records (writer, position, entry, hash) VALUES (1, ?, ?, ?)');
  const stamp = createStamp(systemClock, 'bench:1')('outcome');
  const hash = Buffer.alloc(32);
  const from = performance.now();
  for (let start = 0; start < rows; start += 50_000) {
    db.exec('BEGIN');
    for (let index = start; index < Math.min(start + 50_000, rows); index += 1) {
      insert.run(index + 2, writeCall(callAt(index), stamp).text, hash);
    }
    db.exec('COMMIT');
  }
  say(`built ${rows} rows in ${Math.round((performance.now() - from) / 1000)} s`);
  db.close();
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
    arguments_hash: `hmac-sha256:k1:${((index * 2_654_435_761) % 4_294_967_296).toString(16).padStart(64, '0')}`,
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
    const { sql, parameters } = pageOf(filter, { last: undefined, count: 100 });
    const plan = await source.run({ sql: `EXPLAIN QUERY PLAN ${sql}`, parameters });
    for (const { detail } of plan) if (String(detail).includes('records')) say(`    ${detail}`);
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
