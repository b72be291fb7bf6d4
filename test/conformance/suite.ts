import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Revision = '2025-11-25' | '2026-07-28';

/** How many scenarios each revision requires of a server: frozen in the suite's `requirements/`. */
export const requiredScenarios: Record<Revision, number> = { '2025-11-25': 30, '2026-07-28': 37 };

export interface SuiteResult {
  readonly passed: readonly string[];
  /** The suite's own line for each required scenario that failed. */
  readonly failed: readonly string[];
  /** What the failed scenarios found, for whoever reads the failure. */
  readonly explanation: string;
}

const runner = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));

/** Runs the official suite's required server scenarios, one after the other, against an endpoint. */
export async function runSuite(url: string, revision: Revision): Promise<SuiteResult> {
  // The suite writes beside its working directory, so it gets one of its own.
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-conformance-'));
  try {
    const suite = spawn(
      process.execPath,
      [runner, 'server', '--url', url, '--requirements', revision, '-o', directory],
      {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 120_000,
      },
    );
    let output = '';
    for (const stream of [suite.stdout, suite.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    await once(suite, 'close');
    const summary = readSummary(output);
    return { ...summary, explanation: await readFailures(directory, summary.failed) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Reads the lines after `=== SUMMARY ===`, leaving out what the revision runs without scoring. */
export function readSummary(output: string): Omit<SuiteResult, 'explanation'> {
  const summary = output.slice(output.indexOf('=== SUMMARY ==='));
  const unscored = new Set([...summary.matchAll(/^ {2}[✓✗] (\S+) \(/gm)].map((match) => match[1]));
  const passed: string[] = [];
  const failed: string[] = [];
  for (const [line, mark, name = ''] of summary.matchAll(/^([✓✗]) (\S+): .*$/gm)) {
    if (unscored.has(name)) continue;
    if (mark === '✓') passed.push(name);
    else failed.push(line);
  }
  return { passed, failed };
}

/** What the failed scenarios found, check by check. */
async function readFailures(directory: string, failed: readonly string[]): Promise<string> {
  const names = failed.map((line) => `server-${line.slice(2).split(':')[0]}-2`);
  const findings: string[] = [];
  for (const entry of await readdir(directory)) {
    if (!names.some((name) => entry.startsWith(name))) continue;
    const checks: Check[] = JSON.parse(await readFile(join(directory, entry, 'checks.json'), 'utf8'));
    for (const check of checks.filter(({ status }) => status === 'FAILURE'))
      findings.push(`${check.id}: ${check.errorMessage}\n${JSON.stringify(check.details)?.slice(0, 2000)}`);
  }
  return findings.join('\n');
}

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
  readonly details?: unknown;
}
