import type { Log, Secret } from '../../base/index.ts';
import { postgresSource } from './postgres.ts';
import type { AuditSource } from './source.ts';
import { sqliteSource } from './sqlite.ts';

/** Where a gateway keeps its trail. */
export interface AuditStore {
  readonly dataDir: string;
  /** Null: in `dataDir`. */
  readonly postgres: { readonly url: Secret } | null;
}

/** @throws OperationError when there is no trail or it cannot be read */
export async function openAuditSource({ dataDir, postgres }: AuditStore, log: Log): Promise<AuditSource> {
  return postgres ? postgresSource({ url: postgres.url, log }) : sqliteSource(dataDir);
}
