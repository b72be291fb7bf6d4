import {
  type CopyMeans,
  createAuditTrail,
  fileWitness,
  notePostgres,
  type OpenAuditTrail,
} from '../audit/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';

interface Around {
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens the trail as the configuration says. */
export async function openAudit(
  config: Config,
  { clock, log, means }: Around & { readonly means: CopyMeans },
): Promise<OpenAuditTrail> {
  const { durability, whenStoreIsDown, argumentsHash, auditorKey, checkpoints, keep } = config.audit;
  const trail = await createAuditTrail({
    dataDir: config.data,
    postgres: config.postgres,
    copies: { configs: config.audit.also, means },
    clock,
    log,
    durability,
    whenStoreFails: whenStoreIsDown.others === 'memory' ? 'go on' : 'refuse',
    argumentsHash,
    auditorKey,
    keep,
    checkpoints: { everyRecords: checkpoints.everyRecords, everyMs: checkpoints.everySeconds * 1000 },
    witnesses: checkpoints.file === null ? [] : [fileWitness(checkpoints.file)],
  });
  notePostgres(config.data, config.postgres ? trail.file : null);
  return trail;
}
