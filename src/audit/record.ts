import canonicalize from 'canonicalize';
import { type Clock, timestamp, uuidv7 } from '../base/index.ts';
import { callFields, eventFields, type Kind } from './fields.ts';
import { resultClass } from './results.ts';
import type { AuditEvent, AuditRecord, CallEntry, EntryFields, EventEntry } from './trail.ts';
import type { Value } from './values.ts';

/** An entry that is safe to keep and show, and its canonical text. */
export interface Written<T> {
  readonly record: T;
  readonly text: string;
}

export const schemaVersion = 1;

/** Sets what the trail adds to each entry. */
export type Stamp = <P extends EntryFields['phase']>(phase: P) => EntryFields & { readonly phase: P };

export function createStamp(clock: Clock, instance: string): Stamp {
  let last = { now: Number.NaN, text: '' };
  return (phase) => {
    const now = clock.now();
    if (now !== last.now) last = { now, text: timestamp(now) };
    return { event_id: uuidv7(now), instance, phase, received_at: last.text, schema_version: schemaVersion };
  };
}

/** Set by the trail, whatever a caller gives. */
const ownNames = ['event_id', 'instance', 'phase', 'received_at', 'result_class', 'schema_version'];
const callTable = tableOf(callFields);
const eventTable = tableOf(eventFields);

export function writeCall(
  record: AuditRecord,
  stamp: EntryFields & { readonly phase: 'intent' | 'outcome' },
): Written<CallEntry> {
  const result_class = record.result === null ? null : (resultClass(record.result) ?? null);
  return write<CallEntry>(record, { ...stamp, result_class }, callTable);
}

export function writeEvent(
  event: AuditEvent,
  stamp: EntryFields & { readonly phase: 'event' },
): Written<EventEntry> {
  return write<EventEntry>(event, stamp, eventTable);
}

interface Column {
  readonly name: string;
  /** `,"name":` */
  readonly label: string;
  readonly kind: Kind;
  readonly own: boolean;
  /** What a record says where nothing is given. */
  readonly nothing: Value;
  /** Such a column stands in each text: empty rather than absent. */
  readonly isAlwaysThere: boolean;
  /** What was written last: who calls what by which rule is mostly the same again. */
  last: Member;
}

/** What was given, and what it became. */
interface Member {
  readonly found: unknown;
  readonly value: Value;
  /** With its label; empty for what says nothing. */
  readonly text: string;
}

interface Table {
  /** In the order of RFC 8785 section 3.2.3: by UTF-16 code units. */
  readonly columns: readonly Column[];
  /** A record that says nothing. */
  readonly empty: Readonly<Record<string, Value>>;
}

function tableOf(fields: Readonly<Record<string, Kind>>): Table {
  const columns = Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, kind]): Column => {
      const nothing = kind.clean(undefined);
      // NaN: not the same as anything.
      return {
        ...{ name, kind, nothing, label: `,"${name}":`, own: ownNames.includes(name) },
        ...{ isAlwaysThere: nothing === '', last: { found: Number.NaN, value: null, text: '' } },
      };
    });
  const empty = Object.fromEntries(columns.map(({ name, nothing }) => [name, nothing]));
  // Through JSON: an object that is filled member by member becomes a hash table, several times as large and slow to copy.
  return { columns, empty: JSON.parse(JSON.stringify(empty)) };
}

/** The neutral record with every member, and its RFC 8785 text without those that say nothing: one pass over the fields. */
function write<T>(given: object, ours: object, { columns, empty }: Table): Written<T> {
  const [theirs, own] = [
    given as Readonly<Record<string, unknown>>,
    ours as Readonly<Record<string, unknown>>,
  ];
  const record: Record<string, Value> = { ...empty };
  let text = '';
  for (const column of columns) {
    const { name } = column;
    const found = column.own ? own[name] : theirs[name];
    // Most members of most records are absent.
    if ((found === null || found === undefined) && !column.isAlwaysThere) continue;
    // What is no text, number or flag may have changed in its place.
    const isSame = found === column.last.found && typeof found !== 'object';
    const member = isSame ? column.last : memberOf(column, found);
    column.last = member;
    if (member.value === null) continue;
    record[name] = member.value;
    text += member.text;
  }
  return { record: record as T, text: `{${text.slice(1)}}` };
}

function memberOf({ kind, label, nothing }: Column, found: unknown): Member {
  const quick = typeof found === 'string' ? kind.quick?.(found) : null;
  if (quick) return { found, value: quick.value, text: label + quick.json };
  const value = found === null || found === undefined ? nothing : kind.clean(found);
  if (value === null) return { found, value, text: '' };
  const json = typeof value === 'string' ? quoted(value) : textOf(value);
  return { found, value, text: json === null ? '' : label + json };
}

const needsNoEscape = /^[ !#-[\]-~]*$/;

function quoted(value: string): string {
  return needsNoEscape.test(value) ? `"${value}"` : JSON.stringify(value);
}

/** Null for what says nothing. */
function textOf(value: Exclude<Value, string | null>): string | null {
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? null : listOf(value);
  return Object.keys(value).length === 0 ? null : (canonicalize(value) ?? null);
}

function listOf(values: readonly unknown[]): string {
  let text = '';
  for (const value of values) text += `,${typeof value === 'string' ? quoted(value) : JSON.stringify(value)}`;
  return `[${text.slice(1)}]`;
}

/** The entry in a canonical text that was stored, with null or nothing for what it does not say. */
export function readEntry(text: string): CallEntry | EventEntry {
  const stored = JSON.parse(text) as Record<string, Value>;
  const table = stored['phase'] === 'event' ? eventTable : callTable;
  const record: Record<string, unknown> = { ...table.empty };
  for (const { name } of table.columns) {
    const value = stored[name];
    if (value !== undefined && value !== null) record[name] = value;
  }
  return record as unknown as CallEntry | EventEntry;
}
