import type { StoredEntry } from '../../audit/index.ts';
import { openStore } from '../audit-store.ts';
import { type CommandBody, type CommandContext, exitCodes } from '../command.ts';
import { dataOptions } from '../data-directory.ts';
import { countOf, filterOf, filterOptions, periodOf, periodOptions } from './audit-options.ts';

const defaultLines = 20;
const defaultLimit = 100;

/** `portcullis audit tail`. */
export const auditTail: CommandBody = {
  usage: ['[--follow] [--lines N] [filters] [--data DIR]'],
  options: {
    follow: { help: 'go on until Ctrl+C' },
    lines: { value: 'N', help: `how many past calls; default ${defaultLines}` },
    ...filterOptions,
    ...dataOptions,
  },
  notes: 'With --json each call is one line of JSON.',
  async run(given, context) {
    const filter = filterOf(given);
    const lines = countOf(given, 'lines', defaultLines);
    const source = await openStore(given, context);
    const { tailEntries } = await import('../../audit/index.ts');
    const print = await printer(context);
    const stop = new AbortController();
    // Before the first line is shown: whoever sees it may answer with Ctrl+C.
    if (given.has('follow')) {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    }
    const follow = given.has('follow') ? stop.signal : null;
    try {
      for await (const entry of tailEntries(source, { filter, lines, follow })) print(entry);
    } finally {
      await source.close();
    }
    return exitCodes.ok;
  },
};

/** `portcullis audit query`. */
export const auditQuery: CommandBody = {
  usage: ['[--since 24h] [--until TIME] [filters] [--limit N] [--data DIR]'],
  options: {
    ...periodOptions,
    limit: { value: 'N', help: `how many at most; default ${defaultLimit}` },
    oldest: { help: 'oldest first' },
    ...filterOptions,
    ...dataOptions,
  },
  notes: 'With --json each call is one line of JSON, under the names of docs/audit.md.',
  async run(given, context) {
    const filter = { ...filterOf(given), ...(await periodOf(given, context)) };
    const limit = countOf(given, 'limit', defaultLimit);
    const source = await openStore(given, context);
    const { queryEntries } = await import('../../audit/index.ts');
    const print = await printer(context);
    try {
      const order = given.has('oldest') ? 'oldest' : 'newest';
      for await (const entry of queryEntries(source, { ...filter, limit, order })) print(entry);
    } finally {
      await source.close();
    }
    return exitCodes.ok;
  },
};

async function printer({ output, json }: CommandContext): Promise<(entry: StoredEntry) => void> {
  const { formatJsonLine, formatRecord } = await import('../../audit/index.ts');
  return (entry) => output.line(json ? formatJsonLine(entry) : formatRecord(entry));
}
