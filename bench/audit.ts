// The audit trail by itself, all figures of one run on one disk: compare them with each other, not with another machine's.
// `node bench/audit.ts [--records 1000000] [--calls 20000] [--rounds 5] [--without-postgres] [--only sqlite] [--built]`
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { AuditStore, AuditTrail, AuditTrailOptions, OpenAuditTrail } from '../src/audit/index.ts';
import { Secret, silentLog, systemClock, timestamp } from '../src/base/index.ts';
import { intent, record } from '../test/audit/support.ts';
import { isPostgresInstalled, startPostgres } from '../test/support/postgres/index.ts';

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    calls: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
    'without-postgres': { type: 'boolean', default: false },
    /** `sqlite`, `postgres` or `calls`; all of them by default. */
    only: { type: 'string' },
    /** What `npm run build` made, which users run: threads start twice as fast as from the sources. */
    built: { type: 'boolean', default: false },
  },
});
const records = Number(values.records);
const calls = Number(values.calls);
const rounds = Number(values.rounds);
const product = values.built ? '../dist/audit/index.js' : '../src/audit/index.ts';
const { createAuditTrail, verifyAudit } = (await import(product)) as typeof import('../src/audit/index.ts');
const say = (text: string) => process.stdout.write(`${text}\n`);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const seconds = () => systemClock.monotonic() / 1_000;
const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

async function inDirectory<T>(work: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
  try {
    return await work(dataDir);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const open = (dataDir: string, more: Partial<AuditTrailOptions> = {}) =>
  createAuditTrail({ dataDir, clock: systemClock, log: silentLog, closeWithinMs: 60_000, ...more });

/** 50 clients, 500 people, 5,000 tokens, no two arguments alike. */
function outcomeAt(index: number): Parameters<AuditTrail['outcome']>[0] {
  return record({
    client_id: `https://client${index % 50}.example/metadata.json`,
    subject: `person-${index % 500}`,
    token_id: `token-${index % 5_000}`,
    address: `10.0.0.${index % 200}`,
    arguments_hash: `hmac-sha256:0123abcd:${(index * 2_654_435_761).toString(16).padStart(64, '0')}`,
  });
}

/** Each record on its way from the pipeline to the disk: made neutral, chained, stored, indexed. */
async function ingest(name: string, trail: OpenAuditTrail, count: number): Promise<void> {
  const [from, cpu, atRest] = [seconds(), process.cpuUsage(), process.memoryUsage().rss];
  const memory: number[] = [];
  for (let index = 0; index < count; index += 1) {
    trail.outcome(outcomeAt(index));
    // As requests come: a few in each turn of the loop, and no more when much waits.
    if (index % 250 === 249) await turn();
    while (trail.waiting() > 12_000) await turn();
    if (index % Math.ceil(count / 10) === 0) memory.push(Math.round(process.memoryUsage().rss / 1e6));
  }
  await trail.flush();
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = Math.round(count / (seconds() - from));
  say(
    `${name}: ${perSecond} records/s, ${((user + system) / count).toFixed(1)} us of this process, all threads, each`,
  );
  say(`  resident MB, at rest ${Math.round(atRest / 1e6)}, then by tenths: ${memory.join(' ')}`);
}

async function embedded(): Promise<void> {
  await inDirectory(async (dataDir) => {
    const trail = await open(dataDir);
    await ingest('SQLite', trail, records);
    await trail.close();
    await verifyAll({ dataDir, postgres: null });
  });
}

async function verifyAll(store: AuditStore): Promise<void> {
  const [from, cpu] = [seconds(), process.cpuUsage()];
  const { ok, entries } = await verifyAudit(store);
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = Math.round(entries / (seconds() - from));
  const each = ((user + system) / entries).toFixed(1);
  say(
    `verify: ${perSecond} entries/s, ${each} us of this process each, ${ok ? 'as written' : 'NOT as written'}`,
  );
}

async function shared(): Promise<void> {
  if (values['without-postgres'] || !isPostgresInstalled) return;
  const server = await startPostgres();
  try {
    await inDirectory(async (dataDir) => {
      const postgres = { url: new Secret(server.url) };
      const trail = await open(dataDir, { postgres });
      await ingest('PostgreSQL', trail, Math.ceil(records / 5));
      await trail.close();
      await verifyAll({ dataDir, postgres });
    });
  } finally {
    await server.close();
  }
}

type Mode = 'none' | 'batched' | 'strict';
const callers = 64;

/** Calls per second of `callers` at once: an intent that is waited for, a turn of the loop for the upstream, an outcome. */
async function callsPerSecond(mode: Mode): Promise<number> {
  return inDirectory(async (dataDir) => {
    const trail = mode === 'none' ? null : await open(dataDir, { durability: mode });
    let left = calls;
    const from = seconds();
    const caller = async () => {
      while (left > 0) {
        left -= 1;
        const one = intent({ timestamp: timestamp(systemClock.now()) });
        await trail?.intent(one);
        await turn();
        trail?.outcome(record({ request_id: one.request_id }));
        if (trail && !trail.healthy()) await trail.flush();
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    await trail?.flush();
    const perSecond = calls / (seconds() - from);
    await trail?.close();
    return perSecond;
  });
}

/** Milliseconds of one intent when nothing else goes on, at the median of 500. */
async function lone(durability: 'strict' | 'batched'): Promise<number> {
  return inDirectory(async (dataDir) => {
    const trail = await open(dataDir, { durability });
    const times: number[] = [];
    for (let at = 0; at < 500; at += 1) {
      const from = systemClock.monotonic();
      await trail.intent(intent());
      times.push(systemClock.monotonic() - from);
    }
    await trail.close();
    return median(times);
  });
}

if ((values.only ?? 'sqlite') === 'sqlite') await embedded();
if ((values.only ?? 'postgres') === 'postgres') await shared();
if ((values.only ?? 'calls') !== 'calls') process.exit();
const ratios: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  const [none, batched, strict] = [
    await callsPerSecond('none'),
    await callsPerSecond('batched'),
    await callsPerSecond('strict'),
  ];
  ratios.push(strict / batched);
  say(
    `${callers} callers: none ${Math.round(none)}, batched ${Math.round(batched)}, strict ${Math.round(strict)} calls/s`,
  );
}
say(`strict / batched, median of ${rounds} rounds: ${median(ratios).toFixed(2)}`);
say(
  `a lone intent: ${(await lone('strict')).toFixed(2)} ms strict, ${(await lone('batched')).toFixed(3)} ms batched`,
);
