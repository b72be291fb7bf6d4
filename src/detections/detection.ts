import type { AuditEvent } from '../audit/index.ts';
import { neutralText, redact, timestamp } from '../base/index.ts';
import type { Finding } from './engine.ts';
import type { Severity } from './rule.ts';

/** What people are told. Every text in it is bounded, neutral and without credentials. */
export interface Detection {
  /** RFC 3339. */
  readonly time: string;
  /** Id of the rule. */
  readonly detection: string;
  readonly title: string;
  readonly severity: Severity;
  readonly client_id: string | null;
  readonly subject: string | null;
  readonly address: string | null;
  /** How many, within how many seconds; what the key and the sample were. */
  readonly data: Readonly<Record<string, string | number>>;
}

const mostText = 200;

/** The finding as an event of the trail and as an alert: the same facts. */
export function detectionOf(
  { rule, threshold, key, count, values, observation }: Finding,
  epoch: number,
): Detection {
  const { record } = observation;
  const named = (field: 'client_id' | 'subject' | 'address'): string | null =>
    bounded(key[field] ?? (isSample(field, key) ? record[field] : null));
  const data: Record<string, string | number> = { severity: rule.severity, count };
  if (rule.count > 1) data['within_seconds'] = threshold.withinMs / 1000;
  for (const [field, value] of Object.entries(key)) {
    if (field !== 'client_id' && field !== 'subject' && field !== 'address')
      data[field] = bounded(value) ?? '';
  }
  if (values.length > 0) data['values'] = bounded(values.join(' ')) ?? '';
  if (observation.on === 'call') {
    const { request_id, reason, tool_name } = observation.record;
    data['request_id'] = request_id;
    if (reason !== null) data['reason'] = reason; // of a closed list
    if (tool_name !== null) data['tool_name'] ??= bounded(tool_name) ?? '';
  } else {
    data['event'] ??= observation.record.event;
  }
  return {
    time: timestamp(epoch),
    detection: rule.id,
    title: rule.title,
    severity: rule.severity,
    client_id: named('client_id'),
    subject: named('subject'),
    address: named('address'),
    data,
  };
}

export function eventOf({ time, detection, client_id, subject, address, data }: Detection): AuditEvent {
  return { timestamp: time, event: `detection.${detection}`, client_id, subject, address, data };
}

/** What a last match of an address says of who it was would name one of many: an address stands for itself. */
function isSample(field: string, key: Finding['key']): boolean {
  return key.address === undefined || field === 'address';
}

function bounded(value: string | null | undefined): string | null {
  return value ? neutralText(redact(value.slice(0, mostText * 2)), mostText) : null;
}
