import type { AuditSource, AuditStore } from '../audit/index.ts';
import { silentLog } from '../base/index.ts';
import { auditPlace } from '../config/index.ts';
import type { CommandContext, Given } from './command.ts';
import { findDataDirectory } from './data-directory.ts';

/** The trail that is meant, opened for reading; `--config` alone can say that PostgreSQL has it. The caller closes it. */
export async function openStore(given: Given, context: CommandContext): Promise<AuditSource> {
  const { openAuditSource } = await import('../audit/index.ts');
  return openAuditSource(await auditStoreOf(given, context), silentLog);
}

/** Where the trail that is meant is kept. */
export async function auditStoreOf(given: Given, context: CommandContext): Promise<AuditStore> {
  const file = given.text('config');
  if (file !== undefined && !given.has('data') && !given.has('name')) {
    const { cwd, environment } = context;
    const { data, postgres } = await auditPlace({ file, cwd, environment });
    if (postgres) return { dataDir: data, postgres };
  }
  return { dataDir: await findDataDirectory(given, context), postgres: null };
}
