import { messageOf } from '../../base/index.ts';
import {
  type ContextOptions,
  countingFindings,
  noTokens,
  progressLine,
  type Report,
  reportOf,
  runCheck,
  type Severity,
  writeLock,
} from '../../check/index.ts';
import { auditSourceOf } from '../check/audit-source.ts';
import { credentialsOf } from '../check/credentials.ts';
import { writeText } from '../check/files.ts';
import {
  declaredFrom,
  lockFrom,
  rowsOf,
  secondsOf,
  severityOf,
  suppressionsOf,
  targetsOf,
  toolsOf,
} from '../check/inputs.ts';
import { checkOptions } from '../check/options.ts';
import { formatOf, printReport } from '../check/print.ts';
import {
  type Command,
  type CommandContext,
  type ExitCode,
  exitCodes,
  type Given,
  UsageError,
} from '../command.ts';
import { version } from '../version.ts';
import { visible } from '../visible.ts';

/** `portcullis check URL`: proves what a server does against what it should. */
export const check: Command = {
  name: 'check',
  summary: 'test the security of any MCP server from outside',
  usage: ['URL [options]', '--host-list FILE [options]'],
  options: checkOptions,
  words: ['URL'],
  notes:
    'Reads only, unless --allow-register, --allow-burst or --tool say otherwise. A token goes to the URL alone.\n' +
    'Ends with 0: nothing found, 1: findings, 2: wrong usage, 3: the server could not be tested.',
  async run(given, context) {
    const format = formatOf(given, context);
    const targets = await targetsOf(given, context);
    if (targets.length > 1 && (given.text('output') || given.text('write-lock')))
      throw new UsageError('--output and --write-lock are for one URL', 'check that one alone');
    if (given.has('host-list') && (given.has('tokens') || given.has('token-stdin')))
      throw new UsageError(
        'a token is for one server: it is not sent to a list of hosts',
        'use --login, or check that one alone',
      );
    const codes: ExitCode[] = [];
    for (const target of targets) {
      const { report, failOn } = await checkOne(target, given, context);
      await printReport(report, format, given, context);
      codes.push(exitCodeOf(report, failOn));
    }
    return worstOf(codes);
  },
};

interface Checked {
  readonly report: Report;
  readonly failOn: Severity;
}

async function checkOne(target: URL, given: Given, context: CommandContext): Promise<Checked> {
  const [suppressions, failOn, rows] = [
    await suppressionsOf(given, context),
    severityOf(given),
    rowsOf(given),
  ];
  const inputs: ContextOptions = {
    target,
    clock: context.clock,
    version: version(),
    timeLimitMs: secondsOf(given) * 1000,
    tokens: noTokens,
    allowed: {
      burst: given.has('allow-burst'),
      register: given.has('allow-register'),
      tools: toolsOf(given),
    },
    expectPublic: given.has('expect-public'),
    audit: auditSourceOf(given, context),
    lock: await lockFrom(given, context),
    declared: await declaredFrom(given, context),
    mill: null,
  };
  const { tokens, lab } = await credentialsOf(given, context, inputs);
  const options = { ...inputs, tokens, mill: lab };
  try {
    const file = given.text('write-lock');
    if (file !== undefined) await writeText(file, await writeLock(options), context);
    const run = await runCheck({
      ...options,
      ...rows,
      onProgress: (progress) => {
        if (context.output.interactive) context.output.note(visible(progressLine(progress)));
      },
    });
    return { report: reportOf(run, { version: version(), suppressions }), failOn };
  } finally {
    await lab?.close().catch((error: unknown) => context.output.note(messageOf(error)));
  }
}

function exitCodeOf(report: Report, failOn: Severity): ExitCode {
  const { passed, failed, suppressed } = report.summary;
  if (passed + failed + suppressed === 0) return exitCodes.untestable;
  const counts = countingFindings(report, failOn).length + report.expiredSuppressions.length;
  return counts > 0 ? exitCodes.failed : exitCodes.ok;
}

/** Of several servers: findings first, then what could not be tested. */
function worstOf(codes: readonly ExitCode[]): ExitCode {
  if (codes.includes(exitCodes.failed)) return exitCodes.failed;
  return codes.includes(exitCodes.untestable) ? exitCodes.untestable : exitCodes.ok;
}
