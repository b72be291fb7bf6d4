import type { StoredEntry, StoredRecord } from '../audit/index.ts';
import { Windows } from './windows.ts';

/** What is known of one tool that was called. */
export interface ToolUse {
  readonly server: string;
  readonly tool: string;
  calls: number;
  readonly callers: Set<string>;
  readonly scopes: Set<string>;
  /** Of one caller. */
  readonly windows: Windows;
}

export interface ClientUse {
  readonly client: string;
  calls: number;
  readonly subjects: Set<string>;
  /** What its calls needed, and what its tokens held. */
  readonly needed: Set<string>;
  readonly held: Set<string>;
}

/** Names that share what would have been, or was, refused. */
export interface Denials {
  readonly layer: string;
  readonly reason: string;
  readonly rule: string | null;
  readonly tool: string | null;
  calls: number;
}

export interface Seen {
  readonly since: string;
  readonly until: string;
  calls: number;
  readonly tools: Map<string, ToolUse>;
  readonly clients: Map<string, ClientUse>;
  readonly callers: Windows;
  readonly organizations: Windows;
  readonly wouldDeny: Map<string, Denials>;
  /** Name → uses, and when the last was. */
  readonly staticKeys: Map<string, { calls: number; last: string }>;
  /** Calls without a token, by address. */
  readonly anonymous: Map<string, number>;
}

/** Rows of each kind at most. Callers choose names; who makes up more than this gets no more rows. */
const maxRows = 10_000;
const maxNames = 1_000;

/** Calls that ran, or would have but for a limit or a person. What was refused before teaches nothing about need. */
const ran: ReadonlySet<string> = new Set([
  'success',
  'tool_error',
  'error',
  'timeout',
  'cancelled',
  'denied_approval',
]);

/** Reads a period of the trail once, in memory that does not grow with it. @param entries oldest first */
export async function gather(
  entries: Iterable<StoredEntry> | AsyncIterable<StoredEntry>,
  period: { since: string; until: string },
): Promise<Seen> {
  const seen: Seen = {
    ...period,
    calls: 0,
    tools: new Map(),
    clients: new Map(),
    callers: new Windows(),
    organizations: new Windows(),
    wouldDeny: new Map(),
    staticKeys: new Map(),
    anonymous: new Map(),
  };
  for await (const entry of entries) if (entry.phase !== 'event') take(seen, entry);
  return seen;
}

function take(seen: Seen, record: StoredRecord): void {
  const { subject, result } = record;
  if (subject === null || result === null || !ran.has(result)) return;
  seen.calls++;
  const at = Date.parse(record.timestamp);
  const caller = JSON.stringify([
    record.issuer,
    subject,
    record.principal_type === null ? record.address : null,
  ]);
  seen.callers.add(caller, at);
  seen.organizations.add(JSON.stringify([record.issuer, record.organization]), at);
  takeDenials(seen, record);
  takeKind(seen, record);
  takeClient(seen, record);
  if (record.tool_name !== null && result !== 'error') takeTool(seen, record, { caller, at });
}

function takeDenials({ wouldDeny }: Seen, { would_deny, tool_name: tool }: StoredRecord): void {
  for (const { layer, reason, rule } of would_deny) {
    const key = JSON.stringify([layer, reason, rule, tool]);
    const row = rowOf(wouldDeny, key, () => ({ layer, reason, rule, tool, calls: 0 }));
    if (row) row.calls++;
  }
}

function takeKind({ staticKeys, anonymous }: Seen, record: StoredRecord): void {
  if (record.principal_type === 'static-key') {
    const row = rowOf(staticKeys, record.subject ?? '', () => ({ calls: 0, last: '' }));
    if (row) {
      row.calls++;
      row.last = record.timestamp;
    }
  }
  if (record.principal_type === null && record.auth_method === null) {
    const address = record.address ?? '';
    if (anonymous.has(address) || anonymous.size < maxRows)
      anonymous.set(address, (anonymous.get(address) ?? 0) + 1);
  }
}

function takeClient({ clients }: Seen, record: StoredRecord): void {
  const client = record.client_id ?? '';
  const row = rowOf(clients, client, () => ({
    client,
    calls: 0,
    subjects: new Set<string>(),
    needed: new Set<string>(),
    held: new Set<string>(),
  }));
  if (!row) return;
  row.calls++;
  addAll(row.subjects, [record.subject ?? '']);
  addAll(row.needed, record.scopes_required);
  addAll(row.held, record.scopes);
}

function takeTool(
  { tools }: Seen,
  record: StoredRecord,
  { caller, at }: { caller: string; at: number },
): void {
  const { server, tool_name: tool } = record;
  if (tool === null) return;
  const row = rowOf(tools, JSON.stringify([server, tool]), () => ({
    server,
    tool,
    calls: 0,
    callers: new Set<string>(),
    scopes: new Set<string>(),
    windows: new Windows(),
  }));
  if (!row) return;
  row.calls++;
  addAll(row.callers, [caller]);
  addAll(row.scopes, record.scopes_required);
  row.windows.add(caller, at);
}

function rowOf<Row>(rows: Map<string, Row>, key: string, make: () => Row): Row | undefined {
  let row = rows.get(key);
  if (row === undefined && rows.size < maxRows) {
    row = make();
    rows.set(key, row);
  }
  return row;
}

function addAll(names: Set<string>, more: readonly string[]): void {
  for (const name of more) if (names.size < maxNames) names.add(name);
}
