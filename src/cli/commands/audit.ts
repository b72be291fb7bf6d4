import type { AuditFilter, StoredEntry } from '../../audit/index.ts';
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
    const stop = new AbortController();
    // Before the first line is shown: whoever sees it may answer with Ctrl+C.
    if (given.has('follow')) {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    }
    const follow = given.has('follow') ? stop.signal : null;
    try {
      const count = await printAll(tailEntries(source, { filter, lines, follow }), context);
      if (count === 0 && follow === null) tellNothing(filter, context);
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
    try {
      const order = given.has('oldest') ? 'oldest' : 'newest';
      const count = await printAll(queryEntries(source, { ...filter, limit, order }), context);
      if (count === 0) tellNothing(filter, context);
    } finally {
      await source.close();
    }
    return exitCodes.ok;
  },
};

/** @returns how many there were */
async function printAll(
  entries: AsyncIterable<StoredEntry>,
  { output, json }: CommandContext,
): Promise<number> {
  const { formatJsonLine, formatRecord } = await import('../../audit/index.ts');
  let count = 0;
  for await (const entry of entries) {
    output.line(json ? formatJsonLine(entry) : formatRecord(entry));
    count += 1;
  }
  return count;
}

/** Silence could be a wrong directory, too. */
function tellNothing({ event, events }: AuditFilter, { output, json }: CommandContext): void {
  if (json) return;
  const more = event || events ? '' : '; sign-ins, tokens and the like are shown with --events';
  output.note(`no such entry${more}`);
}
