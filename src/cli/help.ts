import type { Command, OptionSpec } from './command.ts';
import { commonOptions } from './parse.ts';

/** The overview: what there is, and the two lines that most people need. */
export function overview(commands: readonly Pick<Command, 'name' | 'summary'>[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    'Portcullis puts a security gateway in front of MCP servers: OAuth 2.1 sign-in, tokens bound to one',
    'server, scopes for each tool, limits, and an audit log.',
    '',
    'Usage:',
    '  portcullis protect [options] -- COMMAND [ARGUMENT...]   protect a server that a command starts',
    '  portcullis protect [options] URL                        protect a server that is reached by HTTP',
    '  portcullis serve --config FILE                          protect several, as a file says',
    '',
    'Commands:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    '',
    'Every command takes --json for one line of JSON, and --help.',
    '',
    'Examples:',
    '  portcullis protect -- npx -y @modelcontextprotocol/server-filesystem /some/dir',
    '  portcullis protect http://127.0.0.1:3000/mcp',
    '',
    exitCodeText,
  ].join('\n');
}

/** What begins with a word that is no command by itself, such as `audit`. */
export function groupHelp(group: string, commands: readonly Pick<Command, 'name' | 'summary'>[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    'Commands:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    '',
    `Each has a help of its own: portcullis ${group} COMMAND --help`,
  ].join('\n');
}

/** Help of one command. */
export function commandHelp(command: Command): string {
  const options = Object.entries({ ...command.options, ...commonOptions });
  const width = Math.max(...options.map(([name, spec]) => shown(name, spec).length)) + 2;
  return [
    `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}.`,
    '',
    'Usage:',
    ...command.usage.map((line) => `  portcullis ${command.name}${line === '' ? '' : ` ${line}`}`),
    '',
    'Options:',
    ...options.map(
      ([name, spec]) =>
        `  ${shown(name, spec).padEnd(width)}${spec.help}${spec.multiple ? ' (repeatable)' : ''}`,
    ),
    ...(command.notes ? ['', command.notes] : []),
    '',
    command.exitCodes ? `Exit codes: ${command.exitCodes}.` : exitCodeText,
  ].join('\n');
}

function shown(name: string, spec: OptionSpec): string {
  return spec.value ? `--${name} ${spec.value}` : `--${name}`;
}

const exitCodeText = 'Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.';
