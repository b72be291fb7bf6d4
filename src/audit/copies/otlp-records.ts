import type { CallEntry, EventEntry } from '../trail.ts';
import type { Copied } from './copy.ts';

// ExportLogsServiceRequest in the JSON encoding of OTLP 1: lowerCamelCase names, 64-bit integers as strings, trace and
// span ids in hex.

type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } };

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

/** SeverityNumber: INFO 9, WARN 13, ERROR 17. */
const severities = {
  info: { severityNumber: 9, severityText: 'INFO' },
  warn: { severityNumber: 13, severityText: 'WARN' },
  error: { severityNumber: 17, severityText: 'ERROR' },
} as const;

export function otlpRequest(items: readonly Copied[], now: number): object {
  const resource = { attributes: [text('service.name', 'portcullis')] };
  const scope = { name: 'portcullis.audit' };
  const logRecords = items.map((item) => logRecord(item, now));
  return { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] };
}

/** The body is the record itself, complete; attributes repeat what people filter by. */
function logRecord({ entry, text: body, writer }: Copied, now: number): object {
  return {
    timeUnixNano: nanoseconds(Date.parse(entry.record.timestamp)),
    observedTimeUnixNano: nanoseconds(now),
    ...severities[severityOf(entry.record)],
    eventName: nameOf(entry.record),
    ...traceOf(entry.record),
    body: { stringValue: body },
    attributes: [
      text('portcullis.writer', writer),
      { key: 'portcullis.position', value: { intValue: String(entry.position) } },
      ...attributesOf(entry.record),
    ],
  };
}

function nameOf(record: CallEntry | EventEntry): string {
  return record.phase === 'event' ? record.event : `portcullis.call.${record.phase}`;
}

/** 16 and 8 bytes in hex; anything else would have the whole request refused. */
function traceOf(record: CallEntry | EventEntry): object {
  const traceId = record.trace_id ?? '';
  if (!/^[0-9a-f]{32}$/.test(traceId)) return {};
  const spanId = record.phase === 'event' ? '' : (record.span_id ?? '');
  return /^[0-9a-f]{16}$/.test(spanId) ? { traceId, spanId } : { traceId };
}

function attributesOf(record: CallEntry | EventEntry): KeyValue[] {
  const { client_id, subject, address } = record;
  const shared = [
    ...given('portcullis.client_id', client_id),
    ...given('user.id', subject),
    ...given('client.address', address),
  ];
  return record.phase === 'event' ? shared : [...shared, ...callAttributes(record)];
}

/** Names of the OpenTelemetry conventions where they have one (MCP and generative AI: still in development). */
function callAttributes(record: CallEntry): KeyValue[] {
  return [
    text('portcullis.request_id', record.request_id),
    text('portcullis.server', record.server),
    ...given('mcp.method.name', record.method),
    ...given('gen_ai.tool.name', record.tool_name),
    ...given('mcp.protocol.version', record.protocol_version),
    ...given('portcullis.result', record.result),
    ...given('portcullis.reason', record.reason),
    ...given('portcullis.token_id', record.token_id),
    ...given('portcullis.organization', record.organization),
    ...(record.http_status === null
      ? []
      : [{ key: 'http.response.status_code', value: { intValue: String(record.http_status) } }]),
    ...(record.latency_ms === null
      ? []
      : [{ key: 'portcullis.latency_ms', value: { doubleValue: record.latency_ms } }]),
  ];
}

function severityOf(record: CallEntry | EventEntry): keyof typeof severities {
  if (record.phase === 'event') return /failed|reuse|denied|store_down/.test(record.event) ? 'warn' : 'info';
  const kind = record.result_class;
  if (kind === 'error') return 'error';
  return kind === null || kind === 'success' ? 'info' : 'warn';
}

/** As the decimal string of a 64-bit integer: a double would lose the last digits. */
function nanoseconds(epochMs: number): string {
  return Number.isFinite(epochMs) ? `${Math.round(epochMs)}000000` : '0';
}

function text(key: string, value: string): KeyValue {
  return { key, value: { stringValue: value } };
}

function given(key: string, value: string | null | undefined): KeyValue[] {
  return value ? [text(key, value)] : [];
}
