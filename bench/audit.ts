// The audit trail by itself: `node bench/audit.ts [--records 200000]`. All figures of one run, on one disk: compare them with
// each other, not with another machine's.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createAuditTrail, verifyAudit } from '../src/audit/index.ts';
import { silentLog, systemClock, timestamp } from '../src/base/index.ts';
import { intent, record } from '../test/audit/support.ts';

const { values } = parseArgs({ options: { records: { type: 'string', default: '200000' } } });
const records = Number(values.records);
const say = (text: string) => process.stdout.write(`${text}\n`);

async function inDirectory<T>(work: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
  try {
    return await work(dataDir);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const open = (dataDir: string, durability: 'strict' | 'batched') =>
  createAuditTrail({ dataDir, clock: systemClock, log: silentLog, durability, closeWithinMs: 60_000 });

/** Records per second into SQLite, chained; then entries per second of `verify`. */
async function ingestAndVerify(): Promise<void> {
  await inDirectory(async (dataDir) => {
    const trail = await open(dataDir, 'strict');
    const before = process.memoryUsage().rss;
    const start = systemClock.monotonic();
    const cpu = process.cpuUsage();
    for (let at = 0; at < records; at += 4_000) {
      for (let inner = 0; inner < 4_000; inner += 1)
        trail.outcome(record({ subject: `user-${inner % 500}` }));
      if (at % 8_000 === 0) await trail.flush();
    }
    await trail.flush();
    const seconds = (systemClock.monotonic() - start) / 1_000;
    const used = process.cpuUsage(cpu);
    const each = (used.user + used.system) / records;
    say(
      `ingested ${Math.round(records / seconds)} records/s, ${each.toFixed(1)} us CPU each over all threads`,
    );
    say(
      `memory grew by ${Math.round((process.memoryUsage().rss - before) / 1e6)} MB over ${records} records`,
    );
    await trail.close();
    const from = systemClock.monotonic();
    const { ok, entries } = await verifyAudit({ dataDir, postgres: null });
    const took = (systemClock.monotonic() - from) / 1_000;
    say(`verified ${Math.round(entries / took)} entries/s, ${ok ? 'as written' : 'NOT as written'}`);
  });
}

const callers = 64;

/** Calls per second of `callers` at once, each an intent that is waited for and an outcome. */
async function calls(durability: 'strict' | 'batched', seconds: number): Promise<number> {
  return inDirectory(async (dataDir) => {
    const trail = await open(dataDir, durability);
    const end = systemClock.monotonic() + seconds * 1_000;
    let done = 0;
    const caller = async () => {
      while (systemClock.monotonic() < end) {
        const one = intent({ timestamp: timestamp(systemClock.now()) });
        await trail.intent(one);
        trail.outcome(record({ request_id: one.request_id }));
        done += 1;
        if (durability === 'batched' && done % 64 === 0)
          await new Promise((resolve) => setImmediate(resolve));
        if (!trail.healthy()) await trail.flush();
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    await trail.flush();
    const took = (systemClock.monotonic() - end) / 1_000 + seconds;
    await trail.close();
    return done / took;
  });
}

/** Milliseconds that one intent takes when nothing else goes on: median of 500. */
async function lone(): Promise<number> {
  return inDirectory(async (dataDir) => {
    const trail = await open(dataDir, 'strict');
    const times: number[] = [];
    for (let at = 0; at < 500; at += 1) {
      const start = systemClock.monotonic();
      await trail.intent(intent());
      times.push(systemClock.monotonic() - start);
    }
    await trail.close();
    return times.toSorted((a, b) => a - b)[250] ?? 0;
  });
}

await ingestAndVerify();
const rounds: number[] = [];
for (let round = 0; round < 3; round += 1) {
  const [strict, batched] = [await calls('strict', 3), await calls('batched', 3)];
  rounds.push(strict / batched);
  say(
    `strict ${Math.round(strict)} calls/s, batched ${Math.round(batched)} calls/s: ${(strict / batched).toFixed(2)}`,
  );
}
say(`strict / batched, median: ${(rounds.toSorted((a, b) => a - b)[1] ?? 0).toFixed(2)}`);
say(`a lone intent, durable: ${(await lone()).toFixed(2)} ms at the median`);
