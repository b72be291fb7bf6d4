import { readJson } from '../../base/index.ts';
import {
  type AllowedTool,
  type Declared,
  probes,
  readLock,
  readSuppressions,
  type Severity,
  type Suppression,
  severities,
  type ToolLock,
} from '../../check/index.ts';
import { inspectConfig } from '../../config/index.ts';
import { readTarget } from '../../outbound/index.ts';
import { type CommandContext, type Given, UsageError } from '../command.ts';
import { declaredBy } from './declared.ts';
import { readText } from './files.ts';

const mostHosts = 1000;

/** What to check: the URL, or each of the person’s own list. */
export async function targetsOf(given: Given, context: CommandContext): Promise<URL[]> {
  const file = given.text('host-list');
  const [word] = given.words;
  if (file !== undefined && word !== undefined)
    throw new UsageError('a URL and --host-list say two things', 'keep one');
  if (file === undefined) return [targetFrom(word ?? '', context)];
  const lines = (await readText(file, '--host-list', context))
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean);
  if (lines.length === 0 || lines.length > mostHosts)
    throw new UsageError(`--host-list: ${lines.length} URLs`, `one URL a line, at most ${mostHosts}`);
  return lines.map((line) => targetFrom(line, context));
}

function targetFrom(text: string, { self }: CommandContext): URL {
  const target = readTarget(text);
  if (target !== null) return target;
  throw new UsageError(
    'check needs the URL of an MCP server',
    `write ${self} check https://mcp.example.com/mcp`,
  );
}

export function severityOf(given: Given): Severity {
  const text = given.text('fail-on') ?? 'low';
  const found = severities.find((one) => one === text);
  if (found) return found;
  throw new UsageError('--fail-on is no severity', `write one of ${severities.join(', ')}`);
}

export function secondsOf(given: Given): number {
  const seconds = Number(given.text('time-limit') ?? 300);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw new UsageError('--time-limit is no number of seconds', 'write --time-limit 300');
}

export function rowsOf(given: Given): { only?: string[] } {
  const text = given.text('only');
  if (text === undefined) return {};
  const only = text.split(',').map((id) => id.trim().toUpperCase());
  const known = probes.map(({ id }) => id);
  if (only.every((id) => known.includes(id))) return { only };
  throw new UsageError('--only names a row that does not exist', `rows: ${known.toSorted().join(' ')}`);
}

export async function suppressionsOf(given: Given, context: CommandContext): Promise<readonly Suppression[]> {
  const file = given.text('suppress');
  if (file === undefined) return [];
  const read = readSuppressions(
    await readText(file, '--suppress', context),
    probes.map(({ id }) => id),
  );
  if (!('faults' in read)) return read;
  throw new UsageError(`--suppress ${file}: ${read.faults.join('; ')}`, 'see docs/check.md');
}

/** `delete_note` or `delete_note={"id":"none"}`. */
export function toolsOf(given: Given): AllowedTool[] {
  return (given.list('tool') ?? []).map((text) => {
    const [name = '', json] = text.split(/=(.*)/s);
    try {
      const args: unknown = readJson(json ?? '{}');
      if (typeof args === 'object' && args !== null && !Array.isArray(args))
        return { name, args: { ...args } };
    } catch {}
    throw new UsageError('--tool: the arguments are no JSON object', `write --tool 'NAME={"id":"1"}'`);
  });
}

export async function lockFrom(given: Given, context: CommandContext): Promise<ToolLock | null> {
  const file = given.text('lock');
  if (file === undefined) return null;
  const lock = readLock(await readText(file, '--lock', context));
  if (lock) return lock;
  throw new UsageError(`--lock ${file}: no lock of tools`, 'make one with --write-lock FILE');
}

export async function declaredFrom(given: Given, { cwd }: CommandContext): Promise<Declared | null> {
  const file = given.text('config');
  return file === undefined ? null : declaredBy(file, (await inspectConfig({ file, cwd })).explain);
}
