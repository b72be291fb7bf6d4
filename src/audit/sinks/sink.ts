import type { AuditEntry } from '../entry.ts';

/** Where a writer's chain ends in a store. */
export interface ChainHead {
  /** Of the last durable entry; 0 for none. */
  readonly position: number;
  /** That entry's hash in hex; null for none. */
  readonly hash: string | null;
}

/** Where another writer's chain ends. */
export interface WriterHead {
  readonly writer: string;
  readonly position: number;
  readonly hash: string;
}

/** What a store says when it is opened. */
export interface Opened extends ChainHead {
  /** The newest chains of other writers in the store, at most 30: a chain that begins names them. Absent: not known. */
  readonly others?: readonly WriterHead[];
}

/**
 * Where one writer's entries are kept. A writer is one run of one process; its UUID names its chain, and no other process
 * ever continues it: after a restart a new writer begins a chain of its own. Calls never overlap: the writer awaits each
 * before the next.
 *
 * A sink stores `text` and `hash` as they are, character for character, with the writer and the position: these are what
 * `audit verify` reads. Columns beside them serve queries; the text decides.
 */
export interface AuditSink {
  /**
   * Opens the store, or opens it again after a failure, and resolves to where this writer's chain ends there: exactly what
   * an append that failed half-way has left behind. The writer goes on from there: entries that are in the store are not
   * appended again, all others get their place and hash anew. MUST NOT resolve while an earlier append could still reach
   * the store.
   */
  open(): Promise<Opened>;
  /**
   * Appends in order, all or none, after what is there: `entries[0].position` is the head's plus one, else the append
   * MUST fail. MUST NOT resolve before the entries survive a power cut. After a rejection nothing is known of the entries
   * until `open()` has told.
   */
  append(entries: readonly AuditEntry[]): Promise<void>;
  /** Releases everything. MUST NOT resolve while an earlier append could still reach the store. */
  close(): Promise<void>;
}
