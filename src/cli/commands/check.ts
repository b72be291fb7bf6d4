import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf } from '../../base/index.ts';
import {
  countingFindings,
  noTokens,
  probes,
  progressLine,
  type Report,
  readSuppressions,
  reportOf,
  runCheck,
  type Severity,
  type Suppression,
  severities,
  terminalLines,
} from '../../check/index.ts';
import { readTarget } from '../../outbound/index.ts';
import {
  type Command,
  type CommandContext,
  type ExitCode,
  exitCodes,
  type Given,
  UsageError,
} from '../command.ts';
import { visible } from '../visible.ts';

/** `portcullis check URL`: proves what a server does against what it should. */
export const check: Command = {
  name: 'check',
  summary: 'test the security of any MCP server from outside',
  usage: ['URL [options]'],
  options: {
    'expect-public': { help: 'the server is open on purpose' },
    'fail-on': {
      value: 'SEVERITY',
      help: 'end with 1 from this on: critical, high, medium, low (default), info',
    },
    suppress: { value: 'FILE', help: 'findings to live with: row, reason and end date, as JSON' },
    'time-limit': { value: 'SECONDS', help: 'of the whole run; default 300' },
    only: { value: 'ROWS', help: 'run these rows alone, such as A01,T01' },
  },
  words: ['URL'],
  notes:
    'Reads only. Ends with 0: nothing found, 1: findings, 2: wrong usage, 3: the server could not be tested.',
  async run(given, context) {
    const target = targetOf(given, context);
    const suppressions = await suppressionsOf(given, context);
    const failOn = severityOf(given);
    const run = await runCheck({
      target,
      clock: context.clock,
      version: '0.1.0',
      timeLimitMs: secondsOf(given) * 1000,
      tokens: noTokens,
      allowed: { burst: false, register: false, tools: [] },
      expectPublic: given.has('expect-public'),
      audit: null,
      lock: null,
      declared: null,
      ...onlyOf(given),
      onProgress: (progress) => {
        if (context.output.interactive) context.output.note(visible(progressLine(progress)));
      },
    });
    const report = reportOf(run, { version: '0.1.0', suppressions });
    print(report, context);
    return exitCodeOf(report, failOn);
  },
};

function targetOf(given: Given, { self }: CommandContext): URL {
  const target = readTarget(given.words[0] ?? '');
  if (target !== null) return target;
  throw new UsageError(
    'check needs the URL of an MCP server',
    `write ${self} check https://mcp.example.com/mcp`,
  );
}

function severityOf(given: Given): Severity {
  const text = given.text('fail-on') ?? 'low';
  const found = severities.find((one) => one === text);
  if (found) return found;
  throw new UsageError('--fail-on is no severity', `write one of ${severities.join(', ')}`);
}

function secondsOf(given: Given): number {
  const seconds = Number(given.text('time-limit') ?? 300);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw new UsageError('--time-limit is no number of seconds', 'write --time-limit 300');
}

function onlyOf(given: Given): { only?: string[] } {
  const text = given.text('only');
  if (text === undefined) return {};
  const only = text.split(',').map((id) => id.trim().toUpperCase());
  const unknown = only.filter((id) => !probes.some((probe) => probe.id === id));
  if (unknown.length === 0) return { only };
  throw new UsageError(
    '--only names a row that does not exist',
    `rows: ${probes.map(({ id }) => id).join(' ')}`,
  );
}

async function suppressionsOf(given: Given, { cwd }: CommandContext): Promise<readonly Suppression[]> {
  const file = given.text('suppress');
  if (file === undefined) return [];
  const text = await readFile(resolve(cwd, file), 'utf8').catch((error: unknown) => {
    throw new UsageError(`--suppress: ${messageOf(error)}`, 'name a file that can be read');
  });
  const read = readSuppressions(
    text,
    probes.map(({ id }) => id),
  );
  if (!('faults' in read)) return read;
  throw new UsageError(`--suppress ${file}: ${read.faults.join('; ')}`, 'see docs/check.md');
}

function print(report: Report, { output, json }: CommandContext): void {
  if (json) output.json(report);
  else for (const line of terminalLines(report, output)) output.line(line);
}

function exitCodeOf(report: Report, failOn: Severity): ExitCode {
  const { passed, failed, suppressed } = report.summary;
  if (passed + failed + suppressed === 0) return exitCodes.untestable;
  const counts = countingFindings(report, failOn).length + report.expiredSuppressions.length;
  return counts > 0 ? exitCodes.failed : exitCodes.ok;
}
