import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
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
  /** All that the suite printed, for the reader of a failure. */
  readonly output: string;
}

const runner = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));

/** Runs the official suite's required server scenarios, one after the other, against an endpoint. */
export async function runSuite(url: string, revision: Revision): Promise<SuiteResult> {
  // The suite writes beside its working directory, so it gets one of its own.
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-conformance-'));
  try {
    const suite = spawn(process.execPath, [runner, 'server', '--url', url, '--requirements', revision], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
    let output = '';
    for (const stream of [suite.stdout, suite.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    await once(suite, 'close');
    return { ...readSummary(output), output };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Reads the lines after `=== SUMMARY ===`, leaving out what the revision runs without scoring. */
export function readSummary(output: string): Pick<SuiteResult, 'passed' | 'failed'> {
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

/** The parts of the suite's output that concern failed scenarios. */
export function explain(result: SuiteResult): string {
  const names = result.failed.map((line) => line.slice(2).split(':')[0] ?? '');
  const sections = result.output.split(/^=== Running scenario: /m);
  return sections.filter((section) => names.some((name) => section.startsWith(`${name} `))).join('\n');
}
