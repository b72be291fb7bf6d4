import type { CallEntry, EventEntry } from './trail.ts';

/** What a sink stores: one entry, with its place in its writer's chain. */
export interface AuditEntry {
  /** 1 for the first entry of a writer, without gaps: a gap in a store is a loss. */
  readonly position: number;
  readonly phase: AuditPhase;
  /** What the entry says. */
  readonly record: CallEntry | EventEntry;
  /** The same as RFC 8785 canonical JSON without the members that are null or empty: what is stored, and what is hashed. */
  readonly text: string;
  /** SHA-256 over the chain up to and with this entry, in hex; see chain.ts. */
  readonly hash: string;
}

export type AuditPhase = 'intent' | 'outcome' | 'event';
