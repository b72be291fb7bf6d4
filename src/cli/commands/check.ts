import { ConfigurationError, messageOf } from '../../base/index.ts';
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
import { type Format, formatOf, printReport } from '../check/print.ts';
import {
  type CommandBody,
  type CommandContext,
  type ExitCode,
  exitCodes,
  type Given,
  UsageError,
} from '../command.ts';
import { reportFailure } from '../failure.ts';
import { version } from '../version.ts';

/** `portcullis check URL`: proves what a server does against what it should. */
export const check: CommandBody = {
  usage: ['URL [options]', '--host-list FILE [options]'],
  options: checkOptions,
  words: ['URL'],
  notes:
    'Reads only, unless --allow-register, --allow-burst or --tool say otherwise. A token goes to the URL alone.',
  exitCodes: '0 nothing found, 1 findings, 2 wrong usage, 3 the server could not be tested',
  async run(given, context) {
    const format = formatOf(given, context);
    const targets = await targetsOf(given, context);
    refuseForMany(given, targets.length, format);
    const codes: ExitCode[] = [];
    const stop = new AbortController();
    for (const target of targets) {
      codes.push(await codeOf(target, { given, context, format, stop }));
      if (stop.signal.aborted) break;
    }
    return worstOf(codes);
  },
};

/** What is for one server, or makes one document. */
function refuseForMany(given: Given, targets: number, format: Format): void {
  if (targets > 1 && (given.text('output') || given.text('write-lock')))
    throw new UsageError('--output and --write-lock are for one URL', 'check that one alone');
  if (targets > 1 && ['sarif', 'junit', 'html'].includes(format))
    throw new UsageError(`--format ${format} is one document for one URL`, 'write --format json or markdown');
  const one = ['tokens', 'token-stdin', 'client-credentials'].find((way) => given.has(way));
  if (given.has('host-list') && one !== undefined)
    throw new UsageError(
      'a token or secret is for one server: it is not sent to a list of hosts',
      'use --login, or check that one alone',
    );
}

interface Round {
  readonly given: Given;
  readonly context: CommandContext;
  readonly format: Format;
  readonly stop: AbortController;
}

/** What goes wrong with one server is said, is no finding, and does not keep the next from being checked. */
async function codeOf(target: URL, { given, context, format, stop }: Round): Promise<ExitCode> {
  try {
    const { report, failOn } = await checkOne(target, { given, context, stop });
    await printReport(report, format, given, context);
    return exitCodeOf(report, failOn);
  } catch (error) {
    if (error instanceof UsageError || error instanceof ConfigurationError) throw error;
    reportFailure(error, context.output, context.json);
    return exitCodes.untestable;
  }
}

interface Checked {
  readonly report: Report;
  readonly failOn: Severity;
}

async function checkOne(target: URL, { given, context, stop }: Omit<Round, 'format'>): Promise<Checked> {
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
    const run = await stoppable(stop, () =>
      runCheck({
        ...options,
        ...rows,
        signal: stop.signal,
        onProgress: (progress) => {
          if (context.output.interactive) context.output.note(progressLine(progress));
        },
      }),
    );
    return { report: reportOf(run, { version: version(), suppressions }), failOn };
  } finally {
    await lab?.close().catch((error: unknown) => context.output.note(messageOf(error)));
  }
}

/** The first SIGINT or SIGTERM leaves what was found so far; the second ends the process, as ever. */
async function stoppable<T>(stop: AbortController, work: () => Promise<T>): Promise<T> {
  const ask = (): void => stop.abort();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, ask);
  try {
    return await work();
  } finally {
    for (const signal of signals) process.removeListener(signal, ask);
  }
}

function exitCodeOf(report: Report, failOn: Severity): ExitCode {
  const { passed, failed, suppressed } = report.summary;
  if (passed + failed + suppressed === 0) return exitCodes.untestable;
  const counts = countingFindings(report, failOn).length + report.expiredSuppressions.length;
  if (counts > 0) return exitCodes.failed;
  return report.incomplete === null ? exitCodes.ok : exitCodes.untestable;
}

/** Of several servers: findings first, then what could not be tested. */
function worstOf(codes: readonly ExitCode[]): ExitCode {
  if (codes.includes(exitCodes.failed)) return exitCodes.failed;
  return codes.includes(exitCodes.untestable) ? exitCodes.untestable : exitCodes.ok;
}
