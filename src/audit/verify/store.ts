import type { StoredRow } from '../entry-text.ts';
import type { ChainCheck } from './chains.ts';
import type { ValuesCompared } from './postgres-values.ts';

/** Told of bytes that are no text, and of what stands beside a text and contradicts it or hides it from queries. */
export type BesideFound = (
  kind: 'column' | 'index' | 'edited',
  at: { readonly writer: string; readonly position: number },
  message: string,
) => void;

/** A store, as `audit verify` reads it: one view of it, whatever a gateway writes meanwhile. */
export interface VerifyStore {
  /** A table, index or trigger that is not as it was made: queries say something else than the entries do. One sentence each. */
  schemaFaults(): Promise<string[]>;
  /**
   * Gives each row, each writer's in the order of its positions or of its commits, and what beside its text contradicts it.
   * Rejects where the store cannot be read any further.
   */
  rows(take: (row: StoredRow) => void, find: BesideFound): Promise<void>;
  /**
   * The same by several threads at once, where there is enough to read. @returns null where anything at all is found, or does
   * not fit together: `rows` tells what
   */
  inParallel?(): Promise<ChainCheck | null>;
  /** Compares what is kept beside the entries, and can be made anew from them, with what they said. */
  beside?(check: ChainCheck): Promise<void>;
  /** Holds what finds entries by their values against them, where that takes long: `most` stretches of it, any of them, or all where there are fewer. */
  values?(check: ChainCheck, most: number): Promise<ValuesCompared>;
  /** In hex; null where there is no such entry. */
  hashAt(writer: string, position: number): Promise<string | null>;
  close(): Promise<void>;
}
