import type { Log, Secret } from '../../base/index.ts';
import { formatVerifierKey, type VerifierKey } from '../note.ts';
import { auditFile } from '../schema.ts';
import { postgresRetention } from './postgres.ts';
import { sqliteRetention } from './sqlite.ts';
import type { RetentionStore } from './store.ts';

export interface RetentionPlace {
  readonly dataDir: string;
  readonly postgres?: { readonly url: Secret } | null;
  readonly log: Log;
  /** The chain of this process, which never goes to its end; null for none. */
  readonly self: string | null;
  /** Checkpoints of other keys vouch for nothing here, and what they seal stays. */
  readonly keys: readonly VerifierKey[];
}

/** Connects, or opens, with the first question. */
export function retentionStore({ dataDir, postgres, log, self, keys }: RetentionPlace): RetentionStore {
  if (postgres) return postgresRetention({ url: postgres.url, log, self, keys });
  return sqliteRetention({
    file: auditFile(dataDir),
    self,
    keys: keys.map(({ key }) => formatVerifierKey(key)),
  });
}
