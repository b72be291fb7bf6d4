import type { AuditEvent, AuditRecord } from '../audit/index.ts';
import { networkOf } from './network.ts';
import type { Field } from './rule.ts';

/** What a rule looks at: a call that has ended, or an event, as it was given to the trail. */
export type Observation =
  | { readonly on: 'call'; readonly record: AuditRecord }
  | { readonly on: 'event'; readonly record: AuditEvent };

/** The values of a field; none where the record does not have it. Only `scopes` can have several. */
export function valuesOf(observation: Observation, field: Field): readonly string[] {
  const value = rawValue(observation, field);
  if (value === null || value === undefined || value === '') return none;
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

const none: readonly string[] = [];

/** The first value, or null. */
export function firstValue(observation: Observation, field: Field): string | null {
  return valuesOf(observation, field)[0] ?? null;
}

function rawValue({ on, record }: Observation, field: Field): unknown {
  if (field === 'network') return record.address ? networkOf(record.address) : null;
  if (field.startsWith('data.')) {
    const data = on === 'event' ? record.data : undefined;
    const name = field.slice('data.'.length);
    return data && Object.hasOwn(data, name) ? data[name] : null;
  }
  return (record as unknown as Readonly<Record<string, unknown>>)[field];
}
