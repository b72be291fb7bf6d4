import { userInfo } from 'node:os';
import type { RetentionPlan } from '../../audit/index.ts';
import { neutralText } from '../../base/index.ts';
import { auditStoreOf } from '../audit-store.ts';
import { type CommandBody, type CommandContext, exitCodes, UsageError } from '../command.ts';
import { dataOptions } from '../data-directory.ts';

/** `portcullis audit retention`. */
export const auditRetention: CommandBody = {
  usage: ['--dry-run [--keep 400d] [--data DIR]', '[--keep 400d] [--data DIR]'],
  options: {
    'dry-run': { help: 'show what would be removed; remove nothing' },
    keep: {
      value: 'PERIOD',
      help: 'how long entries are kept, such as 400d or 6y; audit.keep of --config by default',
    },
    ...dataOptions,
  },
  notes:
    'A gateway with audit.keep does the same when it starts and every six hours. What goes is said in the log first, and\n' +
    'only what is signed, older, and as it was written goes: audit verify tells it from a deletion.',
  async run(given, context) {
    const { keep: configured, ...place } = await auditStoreOf(given, context);
    const { parseKeep } = await import('../../config/index.ts');
    const text = given.text('keep') ?? configured;
    const ms = text === null ? null : parseKeep(text);
    if (text === null || ms === null) {
      throw new UsageError(text === null ? '--keep is missing' : '--keep is no period', 'write --keep 400d');
    }
    const { planOld, removeOld } = await import('../../audit/index.ts');
    const asked = { keep: { text, ms }, clock: context.clock };
    const dryRun = given.has('dry-run');
    const { plan, removed } = dryRun
      ? { plan: await planOld(place, asked), removed: 0 }
      : await removeOld(place, { ...asked, by: userInfo().username });
    if (context.json) context.output.json({ dryRun, removed, ...plan });
    else await show(plan, { removed, dryRun, context });
    return plan.kept.length === 0 ? exitCodes.ok : exitCodes.failed;
  },
};

async function show(
  plan: RetentionPlan,
  shown: { readonly removed: number; readonly dryRun: boolean; readonly context: CommandContext },
): Promise<void> {
  const { removed, dryRun, context } = shown;
  for (const { writer, from, position, oldest, newest } of plan.removals) {
    context.output.line(neutralText(`${writer} ${from} to ${position}, of ${oldest} to ${newest}`, 400));
  }
  for (const { writer, reason } of plan.kept) {
    context.output.line(neutralText(`${writer} stays whole: ${reason}`, 400));
  }
  const planned = plan.removals.reduce((sum, { from, position }) => sum + position - from + 1, 0);
  context.output.line(dryRun ? `${planned} entries would be removed.` : `${removed} entries were removed.`);
}
