import { attribute, given, integer, type KeyValue, nanoseconds, scope, text } from '../../telemetry/index.ts';
import type { CallEntry, EventEntry } from '../trail.ts';
import type { Copied } from './copy.ts';

// ExportLogsServiceRequest in the JSON encoding of OTLP 1.

/** SeverityNumber: INFO 9, WARN 13, ERROR 17. */
const severities = {
  info: { severityNumber: 9, severityText: 'INFO' },
  warn: { severityNumber: 13, severityText: 'WARN' },
  error: { severityNumber: 17, severityText: 'ERROR' },
} as const;

export function otlpRequest(items: readonly Copied[], now: number): object {
  const resource = { attributes: [text(attribute.serviceName, 'portcullis')] };
  const logRecords = items.map((item) => logRecord(item, now));
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: scope.audit }, logRecords }] }] };
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
      text(attribute.writer, writer),
      integer(attribute.position, entry.position),
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
    ...given(attribute.clientId, client_id),
    ...given(attribute.userId, subject),
    ...given(attribute.clientAddress, address),
  ];
  return record.phase === 'event' ? shared : [...shared, ...callAttributes(record)];
}

/** Names of the OpenTelemetry conventions where they have one (MCP and generative AI: still in development). */
function callAttributes(record: CallEntry): KeyValue[] {
  return [
    text(attribute.requestId, record.request_id),
    text(attribute.server, record.server),
    ...given(attribute.method, record.method),
    ...given(attribute.tool, record.tool_name),
    ...given(attribute.protocolVersion, record.protocol_version),
    ...given(attribute.result, record.result),
    ...given(attribute.reason, record.reason),
    ...given(attribute.tokenId, record.token_id),
    ...given(attribute.organization, record.organization),
    ...(record.http_status === null ? [] : [integer(attribute.httpStatus, record.http_status)]),
    ...(record.latency_ms === null
      ? []
      : [{ key: attribute.latency, value: { doubleValue: record.latency_ms } }]),
  ];
}

function severityOf(record: CallEntry | EventEntry): keyof typeof severities {
  if (record.phase === 'event') return /failed|reuse|denied|store_down/.test(record.event) ? 'warn' : 'info';
  const kind = record.result_class;
  if (kind === 'error') return 'error';
  return kind === null || kind === 'success' ? 'info' : 'warn';
}
