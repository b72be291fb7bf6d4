import type { ExportFormat } from '../../audit/index.ts';
import { openStore } from '../audit-store.ts';
import { type CommandBody, exitCodes, UsageError } from '../command.ts';
import { dataOptions } from '../data-directory.ts';
import { filterOf, filterOptions, periodOf, periodOptions } from './audit-options.ts';

const formats: readonly ExportFormat[] = ['jsonl', 'ocsf', 'ecs', 'csv'];

/** `portcullis audit export`. */
export const auditExport: CommandBody = {
  usage: [`--format ${formats.join('|')} [--since 24h] [--until TIME] [filters] [--data DIR]`],
  options: {
    format: { value: 'FORMAT', help: formats.join(', ') },
    ...periodOptions,
    calls: { help: 'calls alone, without the events' },
    ...filterOptions,
    ...dataOptions,
  },
  notes: 'Oldest first, one entry a line, without an end of its own: all that the filters let through.',
  async run(given, context) {
    const format = formats.find((one) => one === given.text('format'));
    if (!format)
      throw new UsageError('--format is missing or none of ours', `write --format ${formats.join('|')}`);
    const events = given.has('events') || !given.has('calls');
    const filter = { ...filterOf(given), ...(await periodOf(given, context)), events };
    const source = await openStore(given, context);
    const { exporterFor, queryEntries } = await import('../../audit/index.ts');
    const { head, line } = exporterFor(format);
    try {
      if (head) await context.output.write(head);
      let pending = '';
      for await (const entry of queryEntries(source, { ...filter, order: 'oldest' })) {
        pending += line(entry);
        if (pending.length < 65_536) continue;
        await context.output.write(pending);
        pending = '';
      }
      await context.output.write(pending);
    } finally {
      await source.close();
    }
    return exitCodes.ok;
  },
};
