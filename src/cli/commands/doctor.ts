import { type Diagnosis, diagnose, type Finding, type Report } from '../../doctor/index.ts';
import { createOutbound, readTarget } from '../../outbound/index.ts';
import { type CommandBody, exitCodes, UsageError } from '../command.ts';
import { wrap } from '../wrap.ts';

/** `portcullis doctor URL`: which clients will connect, and why one will not. */
export const doctor: CommandBody = {
  usage: ['URL'],
  options: {},
  words: ['URL'],
  notes:
    'Fetches what each client fetches, in its order, without a token; registers nothing. Any MCP server will\n' +
    'do, with or without Portcullis.',
  exitCodes: '0 every client connects, 1 one would not, 2 wrong usage',
  async run(given, { output, clock, json, self }) {
    const target = readTarget(given.words[0] ?? '');
    if (target === null) {
      throw new UsageError(
        'doctor needs the URL of an MCP server',
        `write ${self} doctor https://mcp.example.com/mcp`,
      );
    }
    const outbound = createOutbound();
    const report = await diagnose(target, { outbound, clock }).finally(() => outbound.close());
    if (json) output.json(report);
    else for (const line of linesOf(report)) output.line(line);
    return report.clients.some(({ verdict }) => verdict === 'fails') ? exitCodes.failed : exitCodes.ok;
  },
};

const longest = 300;
const column = 13;

function linesOf(report: Report): string[] {
  const { url, issuer, provider } = report;
  return [
    url,
    ...(report.open ? wrap('Asks nobody to sign in: whoever reaches it may call it.', { indent: 2 }) : []),
    ...(issuer === null ? [] : row('issuer', issuer)),
    ...(report.scopes.length === 0 ? [] : row('asks for', report.scopes.join(' '))),
    ...(provider === null ? [] : row(provider.name, provider.hint)),
    '',
    ...groups(report.clients).flatMap((group) => [...linesOfGroup(group), '']),
    ...wrap(
      'Not seen from outside: step-up, the audience of tokens, which redirect URIs are taken. Discovery is as of November 2026 for each client.',
      { indent: 0 },
    ),
  ];
}

/** Clients with the same verdict and the same findings are said at once. */
function groups(clients: readonly Diagnosis[]): Diagnosis[][] {
  const found = new Map<string, Diagnosis[]>();
  for (const client of clients) {
    const key = JSON.stringify([client.verdict, client.findings]);
    found.set(key, [...(found.get(key) ?? []), client]);
  }
  return [...found.values()];
}

function linesOfGroup(group: readonly Diagnosis[]): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const names = wrap(group.map(({ name }) => name).join('; '), { indent: column });
  const label = first.verdict.padEnd(column);
  return [label + (names[0] ?? '').trimStart(), ...names.slice(1), ...first.findings.flatMap(linesOfFinding)];
}

function linesOfFinding({ problem, change, blocks }: Finding): string[] {
  return [...row(blocks ? 'because' : 'but', problem), ...row('do', change)];
}

function row(label: string, text: string): string[] {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  const lines = wrap(short.replace(/\s+/g, ' '), { indent: column });
  const start = `  ${label}`.padEnd(column);
  return start.length > column
    ? [start, ...lines]
    : [start + (lines[0] ?? '').trimStart(), ...lines.slice(1)];
}
