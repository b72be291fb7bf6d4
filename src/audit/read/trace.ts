import type { StoredEntry, StoredEvent, StoredRecord } from '../query.ts';
import { entryOf } from '../sql.ts';
import { queryEntries } from './read.ts';
import type { AuditSource } from './source.ts';

/** All that the trail knows of one call. */
export interface CallTrace {
  readonly request_id: string;
  /** Durable before the call left; null when it never left. */
  readonly intent: StoredRecord | null;
  /** Null while it runs, or when its gateway died. */
  readonly outcome: StoredRecord | null;
  /** That name this call, or its approval, oldest first. */
  readonly events: readonly StoredEvent[];
  /** Other calls with the same token around it, oldest first. */
  readonly neighbours: readonly StoredRecord[];
}

const mostEntries = 200;
const neighboursEachWay = 10;

/** Null when the trail has no such call. */
export async function traceOf(source: AuditSource, requestId: string): Promise<CallTrace | null> {
  const entries = await entriesOf(source, requestId);
  const records = entries.filter((entry): entry is StoredRecord => entry.phase !== 'event');
  const intent = records.find(({ phase }) => phase === 'intent') ?? null;
  const outcome = records.find(({ phase }) => phase === 'outcome') ?? null;
  const call = outcome ?? intent;
  if (!call) return null;
  const events = entries.filter((entry): entry is StoredEvent => entry.phase === 'event');
  return {
    request_id: requestId,
    intent,
    outcome,
    events,
    neighbours: await neighboursOf(source, call),
  };
}

async function entriesOf(source: AuditSource, requestId: string): Promise<StoredEntry[]> {
  return (await source.ofRequest(requestId, mostEntries)).map(entryOf);
}

async function neighboursOf(source: AuditSource, call: StoredRecord): Promise<StoredRecord[]> {
  const { token_id: tokenId, token_ref: tokenRef } = call;
  // A token has one or the other.
  const token = tokenId !== null ? { tokenId } : tokenRef !== null ? { tokenRef } : null;
  if (token === null) return [];
  const around = { ...token, limit: neighboursEachWay + 1 };
  const found: StoredEntry[] = [];
  const before = queryEntries(source, { ...around, until: call.timestamp });
  for await (const entry of before) found.unshift(entry);
  const after = queryEntries(source, { ...around, since: call.timestamp, order: 'oldest' });
  for await (const entry of after) found.push(entry);
  return found.filter(
    (entry): entry is StoredRecord => entry.phase !== 'event' && entry.request_id !== call.request_id,
  );
}
