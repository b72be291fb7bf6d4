import type { StoredRow } from '../entry-text.ts';
import type { WriterHead } from '../sinks/sink.ts';

// What is known of a stretch of rows that was checked by itself, in a thread of its own: enough to join it to the rows before it.

export interface ChainEndpoint {
  readonly position: number;
  readonly hash: string;
}

/** One chain within the stretch. */
export interface ChainPart {
  readonly begin: StoredRow;
  /** The entry that the check of this stretch took for the one before it; null where the chain begins here. */
  readonly after: ChainEndpoint | null;
  readonly end: ChainEndpoint;
  /** Position of the last checkpoint that holds; 0 where the stretch has none. */
  readonly sealed: number;
  readonly sealedAt: string | null;
  /** Request ids of intents without an outcome in this stretch, with their positions. */
  readonly open: ReadonlyMap<string, number>;
  /** Request ids of outcomes without an intent in this stretch, a line each. */
  readonly ended: string;
  readonly orphaned: ReadonlySet<string>;
}

/** What the trail says that retention removed, and where it says so. */
export interface Removed {
  readonly head: WriterHead;
  readonly by: string;
  readonly position: number;
}

export interface Part {
  readonly entries: number;
  readonly chains: readonly ChainPart[];
  readonly links: readonly WriterHead[];
  readonly removals: readonly Removed[];
}
