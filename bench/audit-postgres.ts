// Records per second into PostgreSQL (a server of its own, durable) and into the embedded store, in one run:
// `node bench/audit-postgres.ts [RECORDS]`, 100,000 each by default. Processor time says more than the clock on a busy machine.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditTrail, createAuditTrail } from '../src/audit/index.ts';
import { Secret, silentLog, systemClock } from '../src/base/index.ts';
import { record } from '../test/audit/support.ts';
import { startPostgres } from '../test/support/postgres/index.ts';

const records = Number(process.argv[2] ?? 100_000);
const atOnce = 10_000;
const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-bench-postgres-'));
const server = await startPostgres();
try {
  const options = { dataDir, clock: systemClock, log: silentLog };
  const embedded = await fill(await createAuditTrail(options));
  const shared = await fill(
    await createAuditTrail({ ...options, postgres: { url: new Secret(server.url) } }),
  );
  const show = (name: string, { perSecond, microseconds }: Awaited<ReturnType<typeof fill>>) =>
    process.stdout.write(`${name}  ${perSecond} records/s, ${microseconds} µs of this process each\n`);
  show('embedded  ', embedded);
  show('PostgreSQL', shared);
  process.stdout.write(`ratio       ${(shared.perSecond / embedded.perSecond).toFixed(2)}\n`);
} finally {
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
}

async function fill(trail: AuditTrail): Promise<{ perSecond: number; microseconds: number }> {
  const [from, cpu] = [performance.now(), process.cpuUsage()];
  for (let index = 0; index < records; index += 1) {
    trail.outcome(
      record({
        client_id: `client-${index % 50}`,
        subject: `person-${index % 500}`,
        token_id: `token-${index % 5_000}`,
        address: `10.0.0.${index % 200}`,
        arguments_hash: `hmac-sha256:k1:${Math.random()}${Math.random()}`,
      }),
    );
    if (index % atOnce === atOnce - 1) await trail.flush();
  }
  await trail.flush();
  const [ms, used] = [performance.now() - from, process.cpuUsage(cpu)];
  await trail.close();
  return {
    perSecond: Math.round((records / ms) * 1000),
    microseconds: Math.round((used.user + used.system) / records),
  };
}
