import { systemClock } from '../base/index.ts';
import { didYouMean, readEnvironment } from '../config/index.ts';
import { type Command, type CommandContext, type ExitCode, exitCodes, UsageError } from './command.ts';
import { alertsTest } from './commands/alerts.ts';
import { auditQuery, auditTail } from './commands/audit.ts';
import { auditKeys, auditMatch, auditVerify } from './commands/audit-evidence.ts';
import { auditExport } from './commands/audit-export.ts';
import { auditOpen } from './commands/audit-open.ts';
import { auditRetention } from './commands/audit-retention.ts';
import { auditStats } from './commands/audit-stats.ts';
import { auditTrace } from './commands/audit-trace.ts';
import { check } from './commands/check.ts';
import { configCheck, configExplain } from './commands/config.ts';
import { doctor } from './commands/doctor.ts';
import { pinsApprove, pinsDiff, pinsExport, pinsList } from './commands/pins.ts';
import { policyExplain, policyTest } from './commands/policy.ts';
import { policyInit } from './commands/policy-init.ts';
import { protect } from './commands/protect.ts';
import { report } from './commands/report.ts';
import { grantsList, revoke } from './commands/revoke.ts';
import { serve } from './commands/serve.ts';
import { resume, stop, stopList } from './commands/stop.ts';
import { usersAdd, usersList, usersRemove, usersRestore } from './commands/users.ts';
import { reportFailure } from './failure.ts';
import { commandHelp, overview } from './help.ts';
import { terminalOutput } from './output.ts';
import { parseCommandLine } from './parse.ts';
import { version } from './version.ts';

const commands: readonly Command[] = [
  protect,
  serve,
  configCheck,
  configExplain,
  policyExplain,
  policyTest,
  policyInit,
  doctor,
  check,
  auditTail,
  auditQuery,
  auditTrace,
  auditStats,
  auditExport,
  auditVerify,
  auditMatch,
  auditOpen,
  auditKeys,
  auditRetention,
  report,
  pinsList,
  pinsDiff,
  pinsApprove,
  pinsExport,
  alertsTest,
  usersAdd,
  usersList,
  usersRemove,
  usersRestore,
  grantsList,
  revoke,
  stopList,
  stop,
  resume,
];

/** Runs what was typed. @returns the exit code: 0, 1 (failed) or 2 (usage or configuration) */
export async function main(parameters: readonly string[]): Promise<ExitCode> {
  const environment = readEnvironment();
  const output = terminalOutput(environment);
  const beforeRest = parameters.includes('--') ? parameters.slice(0, parameters.indexOf('--')) : parameters;
  const context: CommandContext = {
    output,
    environment,
    cwd: process.cwd(),
    clock: systemClock,
    stdin: process.stdin,
    self: environment['npm_execpath'] ? 'npx portcullis' : 'portcullis',
    json: beforeRest.includes('--json'),
  };
  try {
    return await dispatch(parameters, context);
  } catch (error) {
    return reportFailure(error, output, context.json);
  }
}

async function dispatch(parameters: readonly string[], context: CommandContext): Promise<ExitCode> {
  const { output, json, self } = context;
  const [first, second] = parameters;
  if (first === '--version' || first === 'version') {
    if (json) output.json({ version: version() });
    else output.line(`portcullis ${version()}`);
    return exitCodes.ok;
  }
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    return help(parameters.slice(1), context);
  }
  const command = find(first, second, self);
  const given = parseCommandLine(command, parameters.slice(command.name.split(' ').length), self);
  if (!given.has('help')) return command.run(given, context);
  output.line(commandHelp(command));
  return exitCodes.ok;
}

function help(words: readonly string[], { output, json, self }: CommandContext): ExitCode {
  const [first, second] = words.filter((word) => !word.startsWith('-'));
  if (json) output.json({ commands: commands.map(({ name, summary }) => ({ name, summary })) });
  else output.line(first === undefined ? overview(commands) : commandHelp(find(first, second, self)));
  return exitCodes.ok;
}

/** @throws UsageError that names the command that was probably meant */
function find(first: string, second: string | undefined, self: string): Command {
  const command = commands.find(({ name }) => name === first || name === `${first} ${second}`);
  if (command) return command;
  const group = commands
    .filter(({ name }) => name.startsWith(`${first} `))
    .map(({ name }) => name.slice(first.length + 1));
  if (group.length > 0) {
    const near = second === undefined ? null : didYouMean(second, group);
    const what =
      second === undefined || second.startsWith('-')
        ? `${first} needs a command`
        : `unknown command ${first} ${second}`;
    throw new UsageError(
      what,
      near ? `did you mean ${self} ${first} ${near}?` : `write ${self} ${first} ${group.join('|')}`,
    );
  }
  const near = didYouMean(first, [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? '')), 'help']);
  const what = first.startsWith('-') ? 'unknown option' : 'unknown command';
  throw new UsageError(`${what} ${first}`, near ? `did you mean ${self} ${near}?` : `see ${self} --help`);
}
