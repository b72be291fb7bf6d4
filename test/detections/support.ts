import type { AuditEvent, AuditRecord } from '../../src/audit/index.ts';
import { Engine, type Finding, type Thresholds } from '../../src/detections/engine.ts';
import type { Observation } from '../../src/detections/observation.ts';
import { rules } from '../../src/detections/rules.ts';
import { Seen, type SeenStore, seenInMemory } from '../../src/detections/seen.ts';

/** A call as the trail gets it, of alice's client unless told otherwise. */
export function call(fields: Partial<AuditRecord> = {}): Observation {
  const record = {
    timestamp: '2026-11-25T10:00:00.000Z',
    request_id: '0198c6a0-0000-7000-8000-000000000000',
    client_id: 'client-a',
    subject: 'alice',
    issuer: 'https://idp.example',
    tool_name: 'read_note',
    arguments_hash: null,
    scopes: ['mcp:tools:read'],
    result: 'success',
    reason: 'ok',
    server: 'notes',
    method: 'tools/call',
    token_id: 'jti-1',
    address: '192.0.2.7',
    ...fields,
  };
  return { on: 'call', record: record as unknown as AuditRecord };
}

export function event(name: string, fields: Omit<Partial<AuditEvent>, 'event'> = {}): Observation {
  return { on: 'event', record: { timestamp: '2026-11-25T10:00:00.000Z', event: name, ...fields } };
}

export interface Bench {
  /** Gives an observation at a time (milliseconds) and says which rules fired. */
  at(ms: number, observation: Observation): string[];
  /** The same, whole. */
  findings(ms: number, observation: Observation): Finding[];
  readonly engine: Engine;
  readonly seen: Seen;
}

export function bench(
  options: { store?: SeenStore; maxKeys?: number; thresholds?: Thresholds; maxSeen?: number } = {},
): Bench {
  const seen = new Seen(options.store ?? seenInMemory, options.maxSeen ?? 100_000);
  const engine = new Engine({ rules, seen, maxKeys: options.maxKeys ?? 10_000 });
  engine.configure(options.thresholds ?? {});
  const findings = (ms: number, observation: Observation) =>
    engine.observe(observation, { now: ms, epoch: 1_795_000_000_000 + ms });
  return { engine, seen, findings, at: (ms, one) => findings(ms, one).map(({ rule }) => rule.id) };
}
