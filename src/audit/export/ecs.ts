import type { StoredEntry, StoredEvent, StoredRecord } from '../query.ts';
import { type Members, present, rest } from './present.ts';

// Elastic Common Schema (https://www.elastic.co/docs/reference/ecs): its own fields where it has one, everything else
// below `portcullis`, which no version of it will take.

const version = '8.17.0';

/** Our fields that have a field of ECS. */
const mapped = [
  'timestamp', 'received_at', 'event_id', 'subject', 'address', 'user_agent', 'organization', 'tool_name', 'server',
  'http_status', 'latency_ms', 'reason', 'rule', 'trace_id', 'span_id', 'hash', 'position', 'detail',
] as const; // biome-ignore format: a table

const known: ReadonlySet<string> = new Set<string>(mapped);

export function ecsOf(entry: StoredEntry): Members {
  return entry.phase === 'event' ? eventOf(entry) : callOf(entry);
}

function callOf(call: StoredRecord): Members {
  return present({
    '@timestamp': call.timestamp,
    ecs: { version },
    message: `${call.tool_name ?? call.method ?? 'request'} on ${call.server}: ${call.result ?? 'unknown'}`,
    event: present({
      ...shared(call),
      category: ['api'],
      type: call.result_class?.startsWith('denied') ? ['access', 'denied'] : ['access', 'allowed'],
      action: call.tool_name === null ? call.method : `${call.method}:${call.tool_name}`,
      outcome: outcomeOf(call),
      reason: call.detail ?? call.reason,
      code: call.reason,
      // ECS counts in nanoseconds.
      duration: call.latency_ms === null ? null : Math.round(call.latency_ms * 1_000_000),
    }),
    user: call.subject === null ? null : { id: call.subject },
    organization: call.organization === null ? null : { id: call.organization },
    client: addressOf(call.address),
    user_agent: call.user_agent === null ? null : { original: call.user_agent },
    service: { name: call.server },
    gen_ai: call.tool_name === null ? null : { tool: { name: call.tool_name } },
    http: call.http_status === null ? null : { response: { status_code: call.http_status } },
    rule: call.rule === null ? null : { name: call.rule },
    trace: call.trace_id === null ? null : { id: call.trace_id },
    span: call.span_id === null ? null : { id: call.span_id },
    observer: { product: 'Portcullis', type: 'gateway', vendor: 'Portcullis' },
    portcullis: rest(call, known),
  });
}

function shared(entry: StoredEntry): Members {
  return {
    kind: 'event',
    id: entry.event_id,
    created: entry.received_at,
    sequence: entry.position,
    hash: entry.hash,
    module: 'portcullis',
    dataset: 'portcullis.audit',
    provider: 'portcullis',
  };
}

function outcomeOf({ result }: StoredRecord): 'success' | 'failure' | 'unknown' {
  if (result === 'success') return 'success';
  return result === 'unknown' || result === null ? 'unknown' : 'failure';
}

function addressOf(address: string | null): Members | null {
  return address === null ? null : { ip: address, address };
}

/** Categories by the first word of an event's name; the others are `configuration` changes or plain news. */
const categories: Readonly<Record<string, readonly [category: string, type: string]>> = {
  signin: ['authentication', 'info'],
  token: ['authentication', 'info'],
  refresh: ['authentication', 'info'],
  grant: ['iam', 'info'],
  consent: ['iam', 'info'],
  client: ['iam', 'info'],
  user: ['iam', 'user'],
  account: ['iam', 'user'],
  config: ['configuration', 'change'],
  policy: ['configuration', 'change'],
  pins: ['configuration', 'change'],
  kill_switch: ['configuration', 'change'],
};

function eventOf(event: StoredEvent): Members {
  const [category, type] = categories[event.event.split('.')[0] ?? ''] ?? ['api', 'info'];
  const failed = /\.(?:failed|denied|refused)$/.test(event.event);
  return present({
    '@timestamp': event.timestamp,
    ecs: { version },
    message: event.event,
    event: present({
      ...shared(event),
      category: [category],
      type: [type],
      action: event.event,
      outcome: failed ? 'failure' : 'unknown',
    }),
    user: event.subject === null ? null : { id: event.subject },
    client: addressOf(event.address),
    trace: event.trace_id === null ? null : { id: event.trace_id },
    observer: { product: 'Portcullis', type: 'gateway', vendor: 'Portcullis' },
    portcullis: rest(event, known),
  });
}
