import type { StoredEntry, StoredEvent, StoredRecord } from '../query.ts';
import { type Members, present, rest } from './present.ts';

// OCSF (https://schema.ocsf.io): a call is an API Activity, everything else a Base Event. Attributes are those of the
// released version below, with its profiles `security_control` and `trace`; what it has no attribute for is in `unmapped`.

const version = '1.8.0';
const callClass = {
  category_uid: 6,
  category_name: 'Application Activity',
  class_uid: 6003,
  class_name: 'API Activity',
};
const eventClass = {
  category_uid: 0,
  category_name: 'Uncategorized',
  class_uid: 0,
  class_name: 'Base Event',
};
const product = { name: 'Portcullis', vendor_name: 'Portcullis' };

/** activity_id of API Activity: what is known to read is Read; what a tool does otherwise, nobody knows. */
const read = { activity_id: 2, activity_name: 'Read' };
const other = { activity_id: 99, activity_name: 'Other' };
const readingMethod = /^(?:GET|prompts\/get|resources\/read|completion\/complete|[a-z/]+\/list)$/;

/** Our fields that have an attribute: everything else goes to `unmapped`. */
const mapped = [
  'timestamp', 'received_at', 'request_id', 'event_id', 'client_id', 'client_name', 'subject', 'issuer', 'organization',
  'token_id', 'tool_name', 'target', 'method', 'server', 'upstream', 'protocol_version', 'result', 'reason', 'detail',
  'latency_ms', 'http_status', 'jsonrpc_error_code', 'rule', 'policy_hash', 'address', 'user_agent', 'trace_id', 'span_id',
  'parent_span_id', 'position', 'schema_version',
] as const; // biome-ignore format: a table

const known: ReadonlySet<string> = new Set<string>(mapped);

export function ocsfOf(entry: StoredEntry): Members {
  return entry.phase === 'event' ? eventOf(entry) : callOf(entry);
}

function callOf(call: StoredRecord): Members {
  const activity = readingMethod.test(call.method ?? '') || call.risk === 'readOnly' ? read : other;
  return present({
    ...callClass,
    ...activity,
    type_uid: callClass.class_uid * 100 + activity.activity_id,
    type_name: `API Activity: ${activity.activity_name}`,
    time: Date.parse(call.timestamp),
    ...severityOf(call),
    message: messageOf(call),
    metadata: metadataOf(call, call.trace_id === null ? ['security_control'] : ['security_control', 'trace']),
    actor: actorOf(call),
    api: apiOf(call),
    src_endpoint: call.address === null ? { name: 'unknown' } : { ip: call.address },
    dst_endpoint: { svc_name: call.server },
    http_request: present({ uid: call.request_id, user_agent: call.user_agent }),
    http_response: call.http_status === null ? null : { code: call.http_status },
    resources: call.target === null ? null : [{ name: call.target }],
    ...statusOf(call),
    ...controlOf(call),
    trace: traceOf(call),
    unmapped: rest(call, known),
  });
}

function metadataOf(entry: StoredEntry, profiles: readonly string[]): Members {
  return present({
    version,
    product,
    profiles,
    uid: entry.event_id,
    correlation_uid: entry.request_id,
    sequence: entry.position,
    logged_time: Date.parse(entry.received_at),
    original_time: entry.timestamp,
    log_name: 'audit',
    log_version: String(entry.schema_version),
    tenant_uid: entry.phase === 'event' ? null : entry.organization,
  });
}

function actorOf(call: StoredRecord): Members {
  const user = call.subject
    ? { uid: call.subject, ...userType(call), org: call.organization && { uid: call.organization } }
    : { name: 'unauthenticated', type_id: 0 };
  return present({
    user: present(user),
    app_uid: call.client_id,
    app_name: call.client_name,
    session: call.token_id === null ? null : { uid: call.token_id },
    idp: call.issuer === null ? null : { name: call.issuer },
  });
}

function userType({ principal_type: type }: StoredRecord): Members {
  if (type === 'user') return { type_id: 1, type: 'User' };
  return type === null ? { type_id: 0, type: 'Unknown' } : { type_id: 4, type: 'Service' };
}

function apiOf(call: StoredRecord): Members {
  const operation = call.tool_name ?? call.method ?? 'unknown';
  const failed = call.result !== 'success' && call.result !== null;
  return present({
    operation,
    group: call.tool_name === null ? null : { name: call.method ?? 'tools/call' },
    request: { uid: call.request_id },
    response: present({
      code: call.jsonrpc_error_code ?? call.http_status,
      error: failed ? call.reason : null,
      error_message: failed ? call.detail : null,
    }),
    service: present({ name: call.server, version: call.upstream }),
    version: call.protocol_version,
  });
}

/** status_id: 0 Unknown, 1 Success, 2 Failure. */
function statusOf(call: StoredRecord): Members {
  const [status_id, status] =
    call.result === 'success' ? [1, 'Success'] : call.result === 'unknown' ? [0, 'Unknown'] : [2, 'Failure'];
  return { status_id, status, status_code: call.reason, status_detail: call.detail, duration: wholeMs(call) };
}

function wholeMs({ latency_ms: latency }: StoredRecord): number | null {
  return latency === null ? null : Math.round(latency);
}

/** Profile `security_control`: action_id 1 Allowed, 2 Denied. */
function controlOf(call: StoredRecord): Members {
  const policy =
    call.rule === null ? null : present({ name: call.rule, version: call.policy_hash, is_applied: true });
  if (call.result_class?.startsWith('denied') !== true) {
    return { action_id: 1, action: 'Allowed', disposition_id: 1, disposition: 'Allowed', policy };
  }
  const [disposition_id, disposition] = dispositions[call.result ?? ''] ?? [2, 'Blocked'];
  return { action_id: 2, action: 'Denied', disposition_id, disposition, policy };
}

const dispositions: Readonly<Record<string, readonly [number, string]>> = {
  denied_auth: [26, 'Unauthorized'],
  denied_audience: [26, 'Unauthorized'],
  denied_scope: [26, 'Unauthorized'],
  denied_rate: [25, 'Rejected'],
  pending_approval: [14, 'Delayed'],
};

function traceOf({ trace_id: uid, span_id, parent_span_id }: StoredRecord): Members | null {
  if (uid === null) return null;
  return present({
    uid,
    span: span_id === null ? null : present({ uid: span_id, parent_uid: parent_span_id }),
  });
}

/** severity_id: 1 Informational, 2 Low. */
function severityOf(call: StoredRecord): Members {
  return call.result === 'success' || call.result === 'unknown'
    ? { severity_id: 1, severity: 'Informational' }
    : { severity_id: 2, severity: 'Low' };
}

function messageOf(call: StoredRecord): string {
  return `${call.tool_name ?? call.method ?? 'request'} on ${call.server}: ${call.result ?? 'unknown'}`;
}

function eventOf(event: StoredEvent): Members {
  return present({
    ...eventClass,
    ...other,
    type_uid: eventClass.class_uid * 100 + other.activity_id,
    type_name: 'Base Event: Other',
    time: Date.parse(event.timestamp),
    severity_id: 1,
    severity: 'Informational',
    message: event.event,
    metadata: { ...metadataOf(event, []), event_code: event.event },
    unmapped: rest(event, eventKnown),
  });
}

const eventKnown: ReadonlySet<string> = new Set([
  'timestamp',
  'received_at',
  'event_id',
  'position',
  'schema_version',
]);
