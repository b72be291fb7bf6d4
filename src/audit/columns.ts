import type { AuditEntry } from './entry.ts';

/** Columns beside the text, for queries: the same in every store. All are text, and compare by their bytes. */
export const textColumns = [
  'phase',
  'timestamp',
  'request_id',
  'client_id',
  'subject',
  'tool_name',
  'arguments_hash',
  'result',
  'result_class',
  'reason',
  'organization',
  'token_id',
  'token_ref',
  'address',
  'server',
  'event',
] as const;

export type TextColumn = (typeof textColumns)[number];

/**
 * The few that the embedded store keeps beside the text: a trigger, an index of time or of events needs them. All others it reads
 * from the text, which cannot contradict itself.
 */
export const embeddedColumns = ['phase', 'timestamp', 'event'] as const;

/** SQL for a field of an entry in the embedded store. */
export function embeddedField(name: string): string {
  return (embeddedColumns as readonly string[]).includes(name) ? name : `(entry ->> '${name}')`;
}

/** The value of such a column: what the entry says under this name. An empty text says nothing. */
export function textColumnOf({ record }: Pick<AuditEntry, 'record'>, column: TextColumn): string | null {
  const value = (record as unknown as Readonly<Record<string, unknown>>)[column];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The one column that is a number, in milliseconds. */
export function latencyOf({ record }: Pick<AuditEntry, 'record'>): number | null {
  return 'latency_ms' in record ? record.latency_ms : null;
}
