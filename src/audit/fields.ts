import { auditResultClasses, auditResults } from './results.ts';
import {
  amount,
  captured,
  data,
  flag,
  kept,
  longest,
  names,
  plainText,
  type Remembered,
  remembered,
  repeated,
  text,
  type Value,
  whole,
  wouldDeny,
} from './values.ts';

/** A kind of value: how it is made safe to keep, and its JSON Schema. */
export interface Kind {
  clean(value: unknown): Value;
  /** The same of a text, with its JSON, where that is quick to tell. Null: `clean` tells. */
  readonly quick?: (value: string) => Remembered | null;
  readonly schema: Readonly<Record<string, unknown>>;
}

const string = (maxLength: number) => ({ type: 'string', maxLength });

/** Few different values, seen over and over. */
const name: Kind = { clean: repeated, quick: remembered, schema: string(longest.other) };
/** A value of its own in each entry. */
const unique: Kind = { clean: (value) => text(value), quick: plainText, schema: string(longest.other) };
const detail: Kind = { clean: (value) => text(value, longest.detail), schema: string(longest.detail) };
const toolName: Kind = {
  clean: (value) => text(value, longest.tool_name),
  quick: (value) => (value.length <= longest.tool_name ? remembered(value) : null),
  schema: string(longest.tool_name),
};
const list: Kind = { clean: names, schema: { type: 'array', items: string(longest.other) } };
const milliseconds: Kind = { clean: amount, schema: { type: 'number' } };
const count: Kind = { clean: whole, schema: { type: 'integer' } };
const time: Kind = {
  clean: (value) => text(value, 40),
  quick: (value) => (value.length <= 40 ? plainText(value) : null),
  schema: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$' },
};
function oneOf(values: readonly string[]): Kind {
  const known = new Map(values.map((value) => [value, { value, json: JSON.stringify(value) }]));
  return {
    clean: (value) => (typeof value === 'string' && known.has(value) ? value : null),
    quick: (value) => known.get(value) ?? null,
    schema: { enum: values },
  };
}
/** What the trail makes itself: clean already. */
const stamped = {
  event_id: { clean: kept, quick: plainText, schema: { type: 'string', format: 'uuid' } },
  instance: { clean: kept, schema: string(longest.other) },
  received_at: { clean: kept, quick: plainText, schema: time.schema },
  schema_version: { clean: kept, schema: { const: 1 } },
} as const satisfies Record<string, Kind>;

/** Every member of a call's entry. */
export const callFields = {
  ...stamped,
  acr: name,
  actor: list,
  address: name,
  approval_channel: name,
  approval_digest: unique,
  approval_id: unique,
  approval_ms: milliseconds,
  approver: name,
  arguments: { clean: captured, schema: string(longest.arguments) },
  arguments_bytes: count,
  arguments_hash: unique,
  auth_method: name,
  auth_time: time,
  capture: name,
  client_id: name,
  client_name: name,
  detail,
  grant_id: name,
  http_status: count,
  is_error: { clean: flag, schema: { type: 'boolean' } },
  issuer: name,
  jsonrpc_error_code: count,
  jsonrpc_id: unique,
  latency_gateway_ms: milliseconds,
  latency_ms: milliseconds,
  latency_upstream_ms: milliseconds,
  limit_layer: name,
  limit_max: count,
  limit_remaining: count,
  loop_count: count,
  method: name,
  organization: name,
  parent_span_id: unique,
  phase: { clean: kept, quick: remembered, schema: { enum: ['intent', 'outcome'] } },
  policy_hash: name,
  principal_type: oneOf(['user', 'service', 'static-key']),
  protocol_version: name,
  reason: name,
  redactions: count,
  registration: name,
  request_id: { clean: (value) => text(value) ?? '', quick: plainText, schema: string(longest.other) },
  result: oneOf(auditResults),
  result_bytes: count,
  result_class: oneOf(auditResultClasses),
  result_hash: unique,
  retry_after_ms: milliseconds,
  risk: name,
  rule: name,
  scopes: list,
  scopes_required: list,
  server: { ...name, clean: (value) => repeated(value) ?? '' },
  span_id: unique,
  subject: name,
  target: { clean: (value) => text(value, longest.target), schema: string(longest.target) },
  timestamp: time,
  token_audience: name,
  token_expires_at: time,
  token_id: name,
  token_ref: name,
  tool_def_hash: name,
  tool_name: toolName,
  trace_id: unique,
  upstream: name,
  user_agent: name,
  would_deny: { clean: wouldDeny, schema: wouldDenySchema() },
} as const satisfies Record<string, Kind>;

/** Every member of an event's entry. */
export const eventFields = {
  ...stamped,
  address: unique,
  client_id: unique,
  data: { clean: data, schema: { type: 'object' } },
  event: { clean: (value) => text(value), schema: { type: 'string', minLength: 1 } },
  phase: { clean: kept, schema: { const: 'event' } },
  request_id: unique,
  server: name,
  subject: unique,
  timestamp: time,
  tool_name: toolName,
  trace_id: unique,
} as const satisfies Record<string, Kind>;

/** Members that no entry lacks; all others are absent where they say nothing. */
export const alwaysThere = {
  call: [
    'event_id',
    'instance',
    'phase',
    'received_at',
    'request_id',
    'schema_version',
    'server',
    'timestamp',
  ],
  event: ['event', 'event_id', 'instance', 'phase', 'received_at', 'schema_version', 'timestamp'],
} as const;

function wouldDenySchema(): Kind['schema'] {
  const properties = { layer: string(longest.other), reason: string(longest.other), rule: {} };
  const items = { type: 'object', properties, required: ['layer', 'reason'], additionalProperties: false };
  return { type: 'array', items };
}
