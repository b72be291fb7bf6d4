import { neutralText } from '../base/index.ts';
import type { StoredEntry, StoredEvent, StoredRecord } from './query.ts';
import { longest } from './values.ts';

/**
 * One line for a person, about 100 columns wide. Safe on a terminal whatever the file holds: rows are made neutral again
 * here, since who could write to the file could have put anything there.
 */
export function formatRecord(entry: StoredEntry): string {
  return entry.phase === 'event' ? formatEvent(entry) : formatCall(entry);
}

/** One line of JSON under the record's own names, without the newline. Safe on a terminal too. */
export function formatJsonLine(entry: StoredEntry): string {
  return JSON.stringify(entry, (_name, value: unknown) =>
    typeof value === 'string' ? neutralText(value, longest.arguments) : value,
  );
}

function formatCall(record: StoredRecord): string {
  const subject = shown(record.subject, 20);
  const client = shown(record.client_id, 28);
  const line = [
    shown(record.timestamp, 24),
    shown(record.result, 19).padEnd(11),
    shown(record.server, 16),
    shown(whatOf(record), 32),
    `${subject}@${client}`,
  ];
  if (record.reason !== null && record.reason !== 'ok') line.push(shown(record.reason, 32));
  if (record.latency_ms !== null) line.push(`${Math.round(record.latency_ms)}ms`);
  if (record.address !== null) line.push(`from ${shown(record.address, 45)}`);
  return line.join(' ');
}

function whatOf(record: StoredRecord): string | null {
  return record.tool_name ?? (record.target ? `${record.method ?? ''} ${record.target}` : record.method);
}

function formatEvent(event: StoredEvent): string {
  const line = [shown(event.timestamp, 24), 'event'.padEnd(11), shown(event.event, 40)];
  if (event.subject || event.client_id)
    line.push(`${shown(event.subject, 20)}@${shown(event.client_id, 28)}`);
  for (const [name, value] of Object.entries(event.data ?? {})) {
    line.push(`${shown(name, 24)}=${shown(value === null ? null : String(value), 40)}`);
  }
  if (event.address) line.push(`from ${shown(event.address, 45)}`);
  return line.join(' ');
}

function shown(value: string | null | undefined, limit: number): string {
  return value ? neutralText(value, limit) : '-';
}
