import type { AuditEntry } from '../entry.ts';

/** Where one writer's entries are kept. Calls never overlap: the writer awaits each before the next. */
export interface AuditSink {
  /**
   * Opens the store, or opens it again after a failure. Resolves to the position of this writer's last durable entry,
   * 0 for none: what an append that failed half-way has left behind, exactly.
   */
  open(): Promise<number>;
  /**
   * Appends in order, all or none. MUST NOT resolve before the entries survive a power cut. After a rejection nothing
   * is known of the entries until `open()` has told.
   */
  append(entries: readonly AuditEntry[]): Promise<void>;
  /** Releases everything. MUST NOT resolve while an earlier append could still reach the store. */
  close(): Promise<void>;
}
