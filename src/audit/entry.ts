import type { AuditEvent, AuditRecord } from './trail.ts';

/** What a sink stores: a neutral record or event, with its place in its writer's sequence. */
export type AuditEntry = RecordEntry | EventEntry;

interface Placed {
  /** 1 for the first entry of a writer, without gaps: a gap in a store is a loss. A hash chain follows this order. */
  readonly position: number;
}

export interface RecordEntry extends Placed {
  readonly phase: 'intent' | 'outcome';
  readonly record: AuditRecord;
}

export interface EventEntry extends Placed {
  readonly phase: 'event';
  readonly record: AuditEvent;
}

export type AuditPhase = AuditEntry['phase'];
