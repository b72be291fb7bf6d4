import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../src/base/index.ts';
import { markdown, noTokens, type Report, type RunOptions, reportOf, runCheck } from '../src/check/index.ts';
import { startFullSet } from '../test/check/gateway/full-set.ts';
import {
  startEverything,
  startExpress,
  startFastMcp,
  startMcpProxy,
  startSupergateway,
  type ZooServer,
} from '../test/check/zoo/index.ts';

// Writes docs/check/: what check says of our gateway with a whole set of tokens, and of servers as their authors start
// them. Run it with `node scripts/check-reports.ts`; tests hold the verdicts to what it wrote.

const folder = join(resolve(import.meta.dirname, '..'), 'docs', 'check');

/** Without what differs from run to run: ports, times, ids. */
function steady(report: Report): string {
  const { port } = new URL(report.target);
  return markdown(report)
    .replaceAll(`127.0.0.1:${port}`, 'mcp.example')
    .replace(/127\.0\.0\.1:\d{4,5}/g, 'issuer.example')
    .replace(/^(x-request-id|mcp-session-id|Mcp-Session-Id|date): .*$/gim, '$1: …')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '…')
    .replace(/\b\d+(\.\d+)? s after\b/g, 'some seconds after')
    .replace(/\bafter \d+ (requests|calls|bad tokens|registrations)/g, 'after some $1')
    .replace(/among \d+ characters/g, 'among the characters')
    .replace(/the \d+ s of Retry-After/g, 'Retry-After')
    .replaceAll(resolve(import.meta.dirname, '..'), '/srv/app');
}

const bare: Omit<RunOptions, 'target'> = {
  clock: systemClock,
  version: 'docs',
  timeLimitMs: 300_000,
  tokens: noTokens,
  // No bursts: some of them start a process for each session.
  allowed: { burst: false, register: true, tools: [] },
  expectPublic: false,
  audit: null,
  lock: null,
  declared: null,
  mill: null,
};

async function ofServer(start: () => Promise<ZooServer>): Promise<void> {
  const server = await start();
  try {
    write(server.name, await report({ ...bare, target: new URL(server.url) }));
  } finally {
    await server.close();
  }
}

async function report(options: RunOptions): Promise<Report> {
  return reportOf(await runCheck(options), { version: 'docs', suppressions: [] });
}

function write(name: string, found: Report): void {
  if (found.incomplete !== null) throw new Error(`${name}: ${found.incomplete}`);
  writeFileSync(join(folder, `${name}.md`), steady(found));
  const { passed, failed, notTested } = found.summary;
  process.stderr.write(
    `${name}: ${passed} passed, ${failed} failed, ${notTested} not tested in ${found.seconds} s\n`,
  );
}

mkdirSync(folder, { recursive: true });
const set = await startFullSet();
try {
  write('portcullis', await report(set.options));
} finally {
  await set.close();
}
for (const start of [startEverything, startMcpProxy, startSupergateway, startExpress, startFastMcp])
  await ofServer(start);
