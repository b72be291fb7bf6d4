import type { AuditEntry } from '../entry.ts';
import type { AuditSink } from '../sinks/sink.ts';
import type { Copier, CopyState } from './copier.ts';
import type { Copied } from './copy.ts';

/** All places that get copies. */
export interface Copies {
  offer(entries: readonly AuditEntry[]): Promise<void>;
  state(): readonly CopyState[];
  /** See `Copier.stopBlocking`. */
  stopBlocking(): void;
  close(withinMs: number): Promise<void>;
}

export interface CopiesOptions {
  readonly copiers: readonly Copier[];
  readonly writer: string;
}

export function copiesTo({ copiers, writer }: CopiesOptions): Copies {
  return {
    async offer(entries) {
      if (copiers.length === 0 || entries.length === 0) return;
      const items = entries.map((entry): Copied => ({ writer, entry, text: lineOf(entry, writer) }));
      await Promise.all(copiers.map((copier) => copier.offer(items)));
    },
    state: () => copiers.map((copier) => copier.state()),
    stopBlocking() {
      for (const copier of copiers) copier.stopBlocking();
    },
    async close(withinMs) {
      await Promise.all(copiers.map((copier) => copier.close(withinMs)));
    },
  };
}

/**
 * The store first, the copies after it: nobody elsewhere reads what the trail does not hold, and no copy can keep
 * the store from its entries.
 */
export function withCopies(store: AuditSink, copies: Copies): AuditSink {
  /** Of an append that failed: only the next `open` tells which the store holds after all. */
  let doubtful: readonly AuditEntry[] = [];
  return {
    async open() {
      const head = await store.open();
      const stored = doubtful.filter(({ position }) => position <= head.position);
      doubtful = [];
      await copies.offer(stored);
      return head;
    },
    async append(entries) {
      try {
        await store.append(entries);
      } catch (error) {
        doubtful = entries;
        throw error;
      }
      await copies.offer(entries);
    },
    close: () => store.close(),
  };
}

/** The canonical text as it is stored, with its place in the chain: who has all lines of a writer can verify them. */
function lineOf({ text, hash, position }: AuditEntry, writer: string): string {
  return `${text.slice(0, -1)},"hash":"${hash}","position":${position},"writer":"${writer}"}`;
}
