import { existsSync } from 'node:fs';
import { messageOf, OperationError } from '../base/index.ts';
import { type Db, openDbForReading } from '../store/index.ts';
import { pageRows } from './read/sqlite-page.ts';
import type { AuditResult } from './results.ts';
import { auditFile, auditMigrations } from './schema.ts';
import { entryOf } from './sql.ts';
import type { CallEntry, EventEntry } from './trail.ts';

/** Where a stored entry stands. */
interface Stored {
  /** Order of commits over all writers. */
  readonly seq: number;
  /** UUID of the process that wrote it, and the entry's place among that process's own. */
  readonly writer: string;
  readonly position: number;
  /** The chain up to and with this entry, in hex. */
  readonly hash: string;
}

/** `unknown`: the call left (or was about to), and no outcome was written: it runs still, or its writer died. */
export type StoredResult = AuditResult | 'unknown';

export interface StoredRecord extends Omit<CallEntry, 'result'>, Stored {
  readonly result: StoredResult | null;
}

export interface StoredEvent extends EventEntry, Stored {}

export type StoredEntry = StoredRecord | StoredEvent;

/** All conditions must hold. Text compares exactly. */
export interface AuditFilter {
  /** RFC 3339 in UTC with milliseconds, as `parseTime` gives; inclusive. */
  readonly since?: string;
  /** Likewise; exclusive. */
  readonly until?: string;
  readonly client?: string;
  readonly subject?: string;
  readonly tool?: string;
  /** A word that is also a result class stands for the whole class: `denied_auth` finds `denied_scope`, too. */
  readonly result?: StoredResult;
  readonly reason?: string;
  readonly requestId?: string;
  readonly server?: string;
  /** The token's `jti`. */
  readonly tokenId?: string;
  /** The reference to a token without `jti`, as it is recorded. */
  readonly tokenRef?: string;
  /** As it is recorded, with its prefix. */
  readonly argumentsHash?: string;
  readonly organization?: string;
  readonly address?: string;
  /** Events of this name alone. */
  readonly event?: string;
  /** Events too. Without it, records of calls alone. */
  readonly events?: boolean;
}

export interface AuditQuery extends AuditFilter {
  /** How many entries at most; all of them without it. */
  readonly limit?: number;
  /** By timestamp. `newest` first by default. */
  readonly order?: 'newest' | 'oldest';
}

const page = 500;

/**
 * Reads the trail, beside a gateway that writes or without one: one entry per call, its outcome, or its intent with the
 * result `unknown` where there is none. Pages through the file, so that a slow reader holds nothing up.
 * @throws OperationError when there is no trail or it cannot be read
 */
export function* queryAudit(
  dataDir: string,
  query: AuditQuery = {},
): Generator<StoredEntry, void, undefined> {
  const db = openTrail(dataDir);
  try {
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    let last: StoredEntry | undefined;
    while (left > 0) {
      const rows = pageRows(db, query, { last, count: Math.min(page, left) });
      for (const row of rows) {
        last = entryOf(row);
        yield last;
      }
      left -= rows.length;
      if (rows.length < page) return;
    }
  } finally {
    db.close();
  }
}

/**
 * The calls whose fate is unknown: intents without an outcome, oldest first. While a gateway writes, its running calls
 * are among them.
 */
export function listOrphans(
  dataDir: string,
  filter: Omit<AuditFilter, 'result' | 'events'> = {},
): StoredRecord[] {
  const found = [...queryAudit(dataDir, { ...filter, result: 'unknown', order: 'oldest' })];
  return found.filter((entry): entry is StoredRecord => entry.phase !== 'event');
}

/** Opens the trail in `dataDir` for reading. The caller closes it. */
export function openTrail(dataDir: string): Db {
  const file = auditFile(dataDir);
  if (!existsSync(file)) {
    throw new OperationError(`no audit trail at ${file}`, {
      hint: 'name the data directory of the gateway with --data, or its --config where PostgreSQL has the trail',
    });
  }
  try {
    return openDbForReading(file, auditMigrations);
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(`cannot read the audit trail ${file}: ${messageOf(error)}`, { cause: error });
  }
}
