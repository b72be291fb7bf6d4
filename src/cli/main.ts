import { didYouMean, systemClock } from '../base/index.ts';
import type { Environment } from '../config/index.ts';
import { type CommandContext, type ExitCode, exitCodes, UsageError } from './command.ts';
import { type CommandEntry, commands, loadCommand } from './command-table.ts';
import { endOnFault, reportFailure } from './failure.ts';
import { commandHelp, groupHelp, overview } from './help.ts';
import { terminalOutput } from './output.ts';
import { parseCommandLine } from './parse.ts';
import { version } from './version.ts';

/** Runs what was typed. @returns the exit code: 0, 1 (failed) or 2 (usage or configuration) */
export async function main(parameters: readonly string[], environment: Environment): Promise<ExitCode> {
  const output = terminalOutput(environment);
  endOnFault(output);
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
  return runCommandLine(parameters, context);
}

/** The same wherever it writes. Never rejects. */
export async function runCommandLine(
  parameters: readonly string[],
  context: CommandContext,
): Promise<ExitCode> {
  try {
    return await dispatch(parameters, context);
  } catch (error) {
    return reportFailure(error, context.output, context.json);
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
  const asksForHelp = second === '--help' || second === '-h';
  if (asksForHelp && groupOf(first).length > 0) return help([first], context);
  const command = await loadCommand(find(first, second, self));
  const given = parseCommandLine(command, parameters.slice(command.name.split(' ').length), self);
  if (!given.has('help')) return command.run(given, context);
  output.lines(commandHelp(command));
  return exitCodes.ok;
}

async function help(words: readonly string[], { output, json, self }: CommandContext): Promise<ExitCode> {
  const [first, second] = words.filter((word) => !word.startsWith('-'));
  const group = first !== undefined && second === undefined ? groupOf(first) : [];
  if (json) output.json({ commands: commands.map(({ name, summary }) => ({ name, summary })) });
  else if (first === undefined) output.lines(overview(commands));
  else if (group.length > 0) output.lines(groupHelp(first, group));
  else output.lines(commandHelp(await loadCommand(find(first, second, self))));
  return exitCodes.ok;
}

/** Empty for a word that is a command by itself, even if others begin with it. */
function groupOf(first: string): readonly CommandEntry[] {
  if (commands.some(({ name }) => name === first)) return [];
  return commands.filter(({ name }) => name.startsWith(`${first} `));
}

/** @throws UsageError that names the command that was probably meant */
function find(first: string, second: string | undefined, self: string): CommandEntry {
  const command = commands.find(({ name }) => name === first || name === `${first} ${second}`);
  if (command) return command;
  const group = groupOf(first).map(({ name }) => name.slice(first.length + 1));
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
