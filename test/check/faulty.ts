import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/index.ts';
import { type Report, reportOf, runCheck } from '../../src/check/index.ts';
import { type FaultName, startVulnerableServer } from './vulnerable/index.ts';
import { fullTokenSet } from './vulnerable/token-set.ts';

/** What `check` says of the vulnerable server with these faults, with everything allowed. */
export async function checkFaulty(faults: readonly FaultName[], only?: readonly string[]): Promise<Report> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-faults-'));
  const journal = join(directory, 'log.jsonl');
  const server = await startVulnerableServer({ faults, journal });
  try {
    const run = await runCheck({
      target: new URL(server.url),
      clock: systemClock,
      version: 'test',
      timeLimitMs: 120_000,
      revocationMs: 3_000,
      tokens: await fullTokenSet(server),
      allowed: {
        burst: true,
        register: true,
        tools: [
          { name: 'read_note', args: { id: 'check' } },
          { name: 'write_note', args: { id: 'check' } },
          { name: 'delete_note', args: { id: 'check' } },
        ],
      },
      expectPublic: false,
      audit: { read: async () => readFileSync(journal, 'utf8'), verify: null },
      lock: null,
      declared: null,
      mill: null,
      ...(only ? { only } : {}),
    });
    return reportOf(run, { version: 'test', suppressions: [] });
  } finally {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}
