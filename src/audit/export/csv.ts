import type { StoredEntry } from '../query.ts';

/** The columns, in order; one header line names them. What a column does not have is empty. */
const columns = [
  'timestamp', 'received_at', 'phase', 'event', 'request_id', 'event_id', 'result', 'result_class', 'reason', 'client_id',
  'client_name', 'subject', 'issuer', 'organization', 'token_id', 'address', 'user_agent', 'server', 'method', 'tool_name',
  'target', 'arguments_hash', 'scopes', 'scopes_required', 'rule', 'limit_layer', 'approval_id', 'approver', 'http_status',
  'latency_ms', 'detail', 'data', 'trace_id', 'protocol_version', 'instance', 'writer', 'position', 'hash',
] as const; // biome-ignore format: a table

/** RFC 4180 section 2: lines end in CRLF. */
export const csvHeader = `${columns.join(',')}\r\n`;

export function csvOf(entry: StoredEntry): string {
  const members = entry as unknown as Readonly<Record<string, unknown>>;
  return `${columns.map((column) => cell(members[column])).join(',')}\r\n`;
}

/**
 * A spreadsheet takes a cell that begins with one of these for a formula, and a formula can fetch, send and run. The last
 * ones are the full-width forms, which some read alike.
 */
const startsFormula = /^[=+\-@\t\r\n|%＝＋－＠]/;

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : textOf(value);
  // attacker-controlled: the apostrophe makes it text, and is shown by no spreadsheet
  const safe = startsFormula.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function textOf(value: unknown): string {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(' ');
  return Object.keys(value as object).length === 0 ? '' : JSON.stringify(value);
}
