import type { Clock, Log } from '../../base/index.ts';
import type { AuditCopyConfig } from '../../config/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import type { AuditEvent } from '../trail.ts';
import { Copier } from './copier.ts';
import type { CopyTarget } from './copy.ts';
import { type Copies, copiesTo } from './fan-out.ts';
import { fileCopy } from './file.ts';
import { otlpCopy } from './otlp.ts';
import { stdoutCopy, type WriteOut } from './stdout.ts';
import { webhookCopy } from './webhook.ts';

/** What copies need of the rest. */
export interface CopyMeans {
  readonly outbound: Outbound;
  /** Writes to standard output. */
  readonly writeOut: WriteOut;
}

export interface CreateCopiesOptions {
  readonly configs: readonly AuditCopyConfig[];
  /** Null where nothing is configured. */
  readonly means: CopyMeans | null;
  readonly writer: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly tell: (event: AuditEvent) => void;
}

const queueBytes = 64 * 1024 * 1024;

export function createCopies(options: CreateCopiesOptions): Copies {
  const { configs, writer, means, clock, log, tell } = options;
  if (means === null) return copiesTo({ copiers: [], writer });
  const copiers = configs.map(
    (config) =>
      new Copier({
        target: targetOf(config, means, clock),
        overflow: config.overflow,
        queue: { records: config.queueRecords, bytes: queueBytes },
        random: Math.random,
        clock,
        log,
        tell,
      }),
  );
  return copiesTo({ copiers, writer });
}

function targetOf(config: AuditCopyConfig, means: CopyMeans, clock: Clock): CopyTarget {
  switch (config.kind) {
    case 'file':
      return fileCopy({ ...config, clock });
    case 'stdout':
      return stdoutCopy(means.writeOut);
    case 'otlp':
      return otlpCopy({ ...config, outbound: means.outbound, clock });
    case 'webhook':
      return webhookCopy({ ...config, outbound: means.outbound, clock });
  }
}
