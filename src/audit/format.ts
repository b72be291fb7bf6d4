import { neutralText } from '../base/index.ts';
import type { StoredEntry, StoredEvent, StoredRecord } from './query.ts';
import { longest } from './values.ts';

/** Callers choose some of them, such as the URL of a client's metadata. */
const longestId = 64;

/**
 * One line for a person. Ids are whole, to be pasted into the next question. Safe on a terminal whatever the file holds: rows are
 * made neutral again here, since who could write to the file could have put anything there.
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
  const line = [
    shown(record.timestamp, 24),
    shown(record.result, 19).padEnd(11),
    shown(record.server, 16),
    shown(whatOf(record), 32),
    whoOf(record),
  ];
  if (record.reason !== null && record.reason !== 'ok') line.push(shown(record.reason, 32));
  if (record.latency_ms !== null) line.push(`${Math.round(record.latency_ms)}ms`);
  if (record.address !== null) line.push(`from ${shown(record.address, 45)}`);
  line.push(`request_id=${shown(record.request_id, longestId)}`);
  return line.join(' ');
}

function whoOf({ subject, client_id }: StoredEntry): string {
  return `${shown(subject, longestId)}@${shown(client_id, longestId)}`;
}

function whatOf(record: StoredRecord): string | null {
  return record.tool_name ?? (record.target ? `${record.method ?? ''} ${record.target}` : record.method);
}

function formatEvent(event: StoredEvent): string {
  const line = [shown(event.timestamp, 24), 'event'.padEnd(11), shown(event.event, 40)];
  if (event.subject || event.client_id) line.push(whoOf(event));
  for (const [name, value] of Object.entries(event.data ?? {})) {
    line.push(`${shown(name, 24)}=${shown(value === null ? null : String(value), longestId)}`);
  }
  if (event.address) line.push(`from ${shown(event.address, 45)}`);
  return line.join(' ');
}

function shown(value: string | null | undefined, limit: number): string {
  return value ? neutralText(value, limit) : '-';
}
