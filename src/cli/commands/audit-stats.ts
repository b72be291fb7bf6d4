import type { AuditStats } from '../../audit/index.ts';
import { openStore } from '../audit-store.ts';
import { type CommandBody, exitCodes } from '../command.ts';
import { dataOptions } from '../data-directory.ts';
import { type Output, strong } from '../output.ts';
import { countOf, filterOf, filterOptions, periodOf, periodOptions } from './audit-options.ts';

const defaultTop = 10;
const defaultPeriod = 86_400_000;

/** `portcullis audit stats`. */
export const auditStats: CommandBody = {
  usage: ['[--since 24h] [--until TIME] [--top N] [filters] [--data DIR]'],
  options: {
    ...periodOptions,
    top: { value: 'N', help: `how many of each kind; default ${defaultTop}` },
    ...filterOptions,
    ...dataOptions,
  },
  notes:
    'The last 24 hours, unless --since says otherwise. Reads every call of the period once. Percentiles are within 4 %.',
  async run(given, context) {
    const top = countOf(given, 'top', defaultTop);
    const { timestamp } = await import('../../base/index.ts');
    const period = {
      since: timestamp(context.clock.now() - defaultPeriod),
      ...(await periodOf(given, context)),
    };
    const filter = { ...filterOf(given), ...period };
    const source = await openStore(given, context);
    const { statsOf } = await import('../../audit/index.ts');
    try {
      const stats = await statsOf(source, filter, top);
      if (context.json) context.output.json({ since: filter.since, until: filter.until ?? null, ...stats });
      else show(stats, context.output);
    } finally {
      await source.close();
    }
    return exitCodes.ok;
  },
};

function show(stats: AuditStats, { line }: Output): void {
  if (stats.calls === 0) {
    line('No calls.');
    return;
  }
  const { p50, p90, p99, max } = stats.latency_ms;
  line(
    `${stats.calls} calls, ${stats.denied} denied, ${stats.errors} errors; ${stats.first} to ${stats.last}`,
  );
  line(`latency ms   p50 ${p50 ?? '-'}   p90 ${p90 ?? '-'}   p99 ${p99 ?? '-'}   max ${max ?? '-'}`);
  const section = (title: string, rows: readonly (readonly [number, string, string])[]) => {
    if (rows.length === 0) return;
    line();
    line(strong(title));
    for (const [calls, name, more] of rows) line(`${String(calls).padStart(9)}  ${name}${more}`);
  };
  const ended = ({ denied, errors }: { denied: number; errors: number }) =>
    `${denied > 0 ? `   ${denied} denied` : ''}${errors > 0 ? `   ${errors} errors` : ''}`;
  section(
    'Results',
    stats.results.map(({ name, calls }) => [calls, name, '']),
  );
  section(
    'Reasons',
    stats.reasons.map(({ name, calls }) => [calls, name, '']),
  );
  section(
    'Tools',
    stats.tools.map((one) => [
      one.calls,
      one.name,
      `   p50 ${one.p50_ms ?? '-'} p99 ${one.p99_ms ?? '-'} ms${ended(one)}`,
    ]),
  );
  section(
    'Clients',
    stats.clients.map((one) => [one.calls, one.name, ended(one)]),
  );
  section(
    'Subjects',
    stats.subjects.map((one) => [one.calls, one.name, ended(one)]),
  );
}
