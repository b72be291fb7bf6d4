import { join } from 'node:path';
import type { Migrations, Row, SqlValue } from '../store/index.ts';
import type { AuditEntry } from './entry.ts';
import type { AuditEvent, AuditRecord } from './trail.ts';

/** The trail's file below the data directory. */
export function auditFile(dataDir: string): string {
  return join(dataDir, 'audit.db');
}

/** Columns of a record, under the record's own names. */
const recordColumns = [
  'timestamp',
  'request_id',
  'client_id',
  'subject',
  'tool_name',
  'arguments_hash',
  'scopes',
  'result',
  'latency_ms',
  'reason',
  'detail',
  'server',
  'method',
  'target',
  'issuer',
  'organization',
  'token_id',
  'protocol_version',
  'rule',
  'scopes_required',
  'http_status',
  'address',
] as const satisfies readonly (keyof AuditRecord)[];

/** All columns that a writer fills, in the order of `valuesOf`. */
export const columns = ['position', 'phase', ...recordColumns, 'event', 'data'] as const;

/** The values of an entry in the order of `columns`. */
export function valuesOf(entry: AuditEntry): SqlValue[] {
  return entry.phase === 'event' ? eventValues(entry.position, entry.record) : recordValues(entry);
}

function recordValues(entry: Exclude<AuditEntry, { phase: 'event' }>): SqlValue[] {
  const values: SqlValue[] = [entry.position, entry.phase];
  for (const column of recordColumns) {
    const value = entry.record[column];
    values.push(typeof value === 'object' && value !== null ? JSON.stringify(value) : value);
  }
  values.push(null, null);
  return values;
}

function eventValues(position: number, event: AuditEvent): SqlValue[] {
  const shared: Readonly<Record<string, SqlValue | undefined>> = {
    timestamp: event.timestamp,
    client_id: event.client_id,
    subject: event.subject,
    address: event.address,
  };
  const values = recordColumns.map((column) => shared[column] ?? null);
  return [position, 'event', ...values, event.event, JSON.stringify(event.data ?? {})];
}

/** The record in a row of `records`. */
export function recordOf(row: Row): AuditRecord {
  const record: Record<string, unknown> = {};
  for (const column of recordColumns) record[column] = row[column] ?? null;
  record['scopes'] = JSON.parse(String(row['scopes'] ?? '[]'));
  record['scopes_required'] = JSON.parse(String(row['scopes_required'] ?? '[]'));
  return record as unknown as AuditRecord;
}

/** The event in a row of `records` whose phase is `event`. */
export function eventOf(row: Row): AuditEvent {
  const textOf = (column: string) => (row[column] === null ? null : String(row[column]));
  return {
    timestamp: String(row['timestamp']),
    event: String(row['event']),
    client_id: textOf('client_id'),
    subject: textOf('subject'),
    address: textOf('address'),
    data: JSON.parse(String(row['data'] ?? '{}')),
  };
}

/**
 * `seq` is the order of commits over all writers; `(writer, position)` is the order of one writer, without gaps.
 * `open_calls` is derived by the writer: the intents that have no outcome (by trigger it would double the cost of an
 * insert). Indexes leave intents out: a query looks for outcomes and
 * events, and finds orphans by `open_calls`.
 * The triggers stop accidents and statements smuggled into this connection; who owns the file can drop them.
 */
export const auditMigrations: Migrations = {
  name: 'audit',
  steps: [
    `CREATE TABLE writers (
      id INTEGER PRIMARY KEY,
      writer TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE records (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      writer INTEGER NOT NULL REFERENCES writers (id),
      position INTEGER NOT NULL,
      phase TEXT NOT NULL CHECK (phase IN ('intent', 'outcome', 'event')),
      timestamp TEXT NOT NULL,
      request_id TEXT,
      client_id TEXT,
      subject TEXT,
      tool_name TEXT,
      arguments_hash TEXT,
      scopes TEXT,
      result TEXT,
      latency_ms REAL,
      reason TEXT,
      detail TEXT,
      server TEXT,
      method TEXT,
      target TEXT,
      issuer TEXT,
      organization TEXT,
      token_id TEXT,
      protocol_version TEXT,
      rule TEXT,
      scopes_required TEXT,
      http_status INTEGER,
      address TEXT,
      event TEXT,
      data TEXT,
      UNIQUE (writer, position)
    ) STRICT;
    CREATE INDEX records_request ON records (request_id) WHERE request_id IS NOT NULL;
    CREATE INDEX records_timestamp ON records (timestamp) WHERE phase <> 'intent';
    CREATE INDEX records_client ON records (client_id, timestamp) WHERE phase <> 'intent';
    CREATE INDEX records_subject ON records (subject, timestamp) WHERE phase <> 'intent';
    CREATE INDEX records_tool ON records (tool_name, timestamp) WHERE phase <> 'intent';
    CREATE TABLE open_calls (
      request_id TEXT PRIMARY KEY,
      seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER records_no_update BEFORE UPDATE ON records
      BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER records_no_delete BEFORE DELETE ON records
      BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER writers_no_update BEFORE UPDATE ON writers
      BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER writers_no_delete BEFORE DELETE ON writers
      BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;`,
  ],
};
