import type { AuditSource, AuditStore } from '../audit/index.ts';
import { silentLog } from '../base/index.ts';
import { auditPlace } from '../config/index.ts';
import type { CommandContext, Given } from './command.ts';
import { findDataDirectory } from './data-directory.ts';

/** The trail that is meant, opened for reading. The caller closes it. */
export async function openStore(given: Given, context: CommandContext): Promise<AuditSource> {
  const { openAuditSource } = await import('../audit/index.ts');
  return openAuditSource(await auditStoreOf(given, context), silentLog);
}

/** Where the trail that is meant is, and how long it is kept; `--config` alone can say that PostgreSQL has it. */
export async function auditStoreOf(
  given: Given,
  context: CommandContext,
): Promise<AuditStore & { readonly keep: string | null }> {
  const file = given.text('config');
  if (file !== undefined && !given.has('data') && !given.has('name')) {
    const { cwd, environment } = context;
    const { data, ...rest } = await auditPlace({ file, cwd, environment });
    if (rest.postgres) return { dataDir: data, ...rest };
    return { dataDir: await findDataDirectory(given, context), ...rest };
  }
  return { dataDir: await findDataDirectory(given, context), postgres: null, keep: null };
}
