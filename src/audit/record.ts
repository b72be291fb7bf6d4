import { neutralText } from './neutral.ts';
import { redact } from './redact.ts';
import { type AuditEvent, type AuditRecord, auditResults } from './trail.ts';

/** Longest values, in UTF-16 units. Longer ones end in `…`. */
export const limits = { detail: 500, target: 500, tool_name: 200, other: 300 } as const;
const mostScopes = 64;
const mostScopeText = 4_000;
const mostData = 32;

/**
 * A record that is safe to store and show: bounded, neutral, free of what looks like a credential, and of the declared
 * types whatever was passed, since one value that the store refuses would hold up all that follow.
 */
export function neutralRecord(record: AuditRecord): AuditRecord {
  return {
    timestamp: text(record.timestamp, 40) ?? '',
    request_id: text(record.request_id) ?? '',
    client_id: repeated(record.client_id),
    subject: repeated(record.subject),
    tool_name: text(record.tool_name, limits.tool_name),
    arguments_hash: text(record.arguments_hash),
    scopes: scopes(record.scopes),
    result: auditResults.find((known) => known === record.result) ?? null,
    latency_ms: amount(record.latency_ms),
    reason: repeated(record.reason),
    detail: text(record.detail, limits.detail),
    server: repeated(record.server) ?? '',
    method: repeated(record.method),
    target: text(record.target, limits.target),
    issuer: repeated(record.issuer),
    organization: repeated(record.organization),
    token_id: repeated(record.token_id),
    protocol_version: repeated(record.protocol_version),
    rule: repeated(record.rule),
    scopes_required: scopes(record.scopes_required),
    http_status: whole(record.http_status),
    address: repeated(record.address),
  };
}

/** The same for an event. Members of `data` beyond the first 32 are left out. */
export function neutralEvent(event: AuditEvent): AuditEvent {
  const data: Record<string, string | number | boolean | null> = {};
  for (const [name, value] of Object.entries(event.data ?? {}).slice(0, mostData)) {
    data[text(name) ?? ''] = typeof value === 'string' ? text(value, limits.detail) : scalar(value);
  }
  return {
    timestamp: text(event.timestamp, 40) ?? '',
    event: text(event.event) ?? '',
    client_id: text(event.client_id),
    subject: text(event.subject),
    address: text(event.address),
    data,
  };
}

/** Room that a record takes in memory, within a factor of two. */
export function sizeOf(record: AuditRecord | AuditEvent): number {
  let size = 400;
  for (const value of Object.values(record)) {
    if (typeof value === 'string') size += value.length;
    else if (typeof value === 'object' && value !== null) size += JSON.stringify(value).length;
  }
  return size;
}

function text(value: unknown, limit: number = limits.other): string | null {
  if (typeof value !== 'string') return null;
  // The window is wider than the limit so that a credential which crosses the limit is still seen whole enough.
  return neutralText(redact(value.length > limit * 2 ? value.slice(0, limit * 2) : value), limit);
}

const seen = new Map<string, string>();
const mostSeen = 4_096;

/** `text`, remembered: who calls and what rule decides are the same strings over and over. */
function repeated(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const result = text(value) ?? '';
  if (value.length <= limits.other) {
    if (seen.size >= mostSeen) seen.clear();
    seen.set(value, result);
  }
  return result;
}

function scopes(values: readonly string[]): string[] {
  if (!Array.isArray(values)) return [];
  const kept: string[] = [];
  let room = mostScopeText;
  for (const value of values) {
    const scope = repeated(value) ?? '';
    room -= scope.length;
    if (kept.length === mostScopes || room < 0) return [...kept, '…'];
    kept.push(scope);
  }
  return kept;
}

function amount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? Math.round(value * 1_000) / 1_000 : null;
}

function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

function scalar(value: unknown): number | boolean | null {
  return typeof value === 'boolean' ? value : typeof value === 'number' ? amount(value) : null;
}
