import type { AuditFilter, StoredEntry, StoredResult } from '../../audit/index.ts';
import {
  type Command,
  type CommandContext,
  exitCodes,
  type Given,
  type OptionSpec,
  UsageError,
} from '../command.ts';
import { dataOptions, findDataDirectory } from '../data-directory.ts';

const results: readonly StoredResult[] = [
  'success',
  'tool_error',
  'error',
  'timeout',
  'cancelled',
  'malformed',
  'denied_auth',
  'denied_audience',
  'denied_scope',
  'denied_policy',
  'denied_rate',
  'denied_approval',
  'pending_approval',
  'unknown',
];

const filterOptions: Readonly<Record<string, OptionSpec>> = {
  client: { value: 'ID', help: 'of this client' },
  subject: { value: 'ID', help: 'of this person or machine' },
  tool: { value: 'NAME', help: 'of this tool' },
  result: { value: 'RESULT', help: results.join(', ') },
  reason: { value: 'REASON', help: 'with this reason, such as scope_missing' },
  'request-id': { value: 'ID', help: 'this call' },
  server: { value: 'NAME', help: 'to this server' },
  events: { help: 'sign-ins, tokens, reloads and the like too' },
};

const defaultLines = 20;
const defaultLimit = 100;
const maxLimit = 1_000_000;

/** `portcullis audit tail`. */
export const auditTail: Command = {
  name: 'audit tail',
  summary: 'show the last calls, and those that come',
  usage: ['[--follow] [--lines N] [filters] [--data DIR]'],
  options: {
    follow: { help: 'go on until Ctrl+C' },
    lines: { value: 'N', help: `how many past calls; default ${defaultLines}` },
    ...filterOptions,
    ...dataOptions,
  },
  notes: 'With --json each call is one line of JSON.',
  async run(given, context) {
    const directory = await findDataDirectory(given, context);
    const { followAudit, queryAudit } = await import('../../audit/index.ts');
    const filter = filterOf(given);
    const print = await printer(context);
    const lines = countOf(given, 'lines', defaultLines);
    const stop = new AbortController();
    // Before the first line is shown: whoever sees it may answer with Ctrl+C.
    if (given.has('follow')) {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    }
    const recent = [...queryAudit(directory, { ...filter, limit: lines })].reverse();
    for (const entry of recent) print(entry);
    if (!given.has('follow')) return exitCodes.ok;
    // From the last one shown: what was written between the two reads is not lost.
    const from = Math.max(0, ...recent.map(({ seq }) => seq));
    for await (const entry of followAudit(directory, { ...filter, from, signal: stop.signal })) print(entry);
    return exitCodes.ok;
  },
};

/** `portcullis audit query`. */
export const auditQuery: Command = {
  name: 'audit query',
  summary: 'find calls in the audit log',
  usage: ['[--since 24h] [--until TIME] [filters] [--limit N] [--data DIR]'],
  options: {
    since: { value: 'TIME', help: 'from then on: 30m, 24h, 7d, or 2026-07-28T10:00:00Z' },
    until: { value: 'TIME', help: 'before then' },
    limit: { value: 'N', help: `how many at most; default ${defaultLimit}` },
    oldest: { help: 'oldest first' },
    ...filterOptions,
    ...dataOptions,
  },
  notes: 'With --json each call is one line of JSON, under the names of docs/audit.md.',
  async run(given, context) {
    const directory = await findDataDirectory(given, context);
    const { parseTime, queryAudit } = await import('../../audit/index.ts');
    const time = (option: string) => {
      const text = given.text(option);
      return text === undefined
        ? {}
        : { [option]: parseTime(text, { now: context.clock.now(), option: `--${option}` }) };
    };
    const print = await printer(context);
    const entries = queryAudit(directory, {
      ...filterOf(given),
      ...time('since'),
      ...time('until'),
      limit: countOf(given, 'limit', defaultLimit),
      order: given.has('oldest') ? 'oldest' : 'newest',
    });
    for (const entry of entries) print(entry);
    return exitCodes.ok;
  },
};

async function printer({ output, json }: CommandContext): Promise<(entry: StoredEntry) => void> {
  const { formatJsonLine, formatRecord } = await import('../../audit/index.ts');
  return (entry) => output.line(json ? formatJsonLine(entry) : formatRecord(entry));
}

function filterOf(given: Given): AuditFilter {
  const named = {
    client: 'client',
    subject: 'subject',
    tool: 'tool',
    reason: 'reason',
    'request-id': 'requestId',
    server: 'server',
  };
  const texts = Object.entries(named).flatMap(([option, key]) => {
    const text = given.text(option);
    return text === undefined ? [] : [[key, text]];
  });
  const result = resultOf(given.text('result'));
  return {
    ...(Object.fromEntries(texts) as AuditFilter),
    ...(result === undefined ? {} : { result }),
    ...(given.has('events') ? { events: true } : {}),
  };
}

function resultOf(text: string | undefined): StoredResult | undefined {
  const result = results.find((one) => one === text);
  if (text === undefined || result !== undefined) return result;
  throw new UsageError('--result is no result', `choose from ${results.join(', ')}`);
}

function countOf(given: Given, option: string, fallback: number): number {
  const text = given.text(option);
  if (text === undefined) return fallback;
  const count = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= maxLimit) return count;
  throw new UsageError(`--${option} is no number of calls`, `write --${option} ${fallback}`);
}
