import { chainNext, chainStart } from '../chain.ts';
import {
  chainStartedEvent,
  checkpointEvent,
  checkpointIn,
  dataIn,
  isEvent,
  isPhase,
  orphanedEvent,
  requestIdIn,
  type StoredRow,
} from '../entry-text.ts';
import type { Checkpoint, VerifierKey } from '../note.ts';
import { headsIn, removalsEvent, removedEvent, removedIn } from '../retention/removal.ts';
import type { WriterHead } from '../sinks/sink.ts';

export type FindingKind =
  | 'edited'
  | 'missing'
  | 'moved'
  | 'rewritten'
  | 'truncated'
  | 'forked'
  | 'removed'
  | 'signature'
  | 'unreadable'
  | 'schema'
  | 'column'
  | 'index';

export interface Finding {
  readonly kind: FindingKind;
  readonly writer: string | null;
  readonly position: number | null;
  /** One sentence for people. */
  readonly message: string;
}

/** Where one chain stands in the check. */
interface Chain {
  readonly writer: string;
  /** The first entry that is there. */
  readonly begin: StoredRow;
  position: number;
  hash: string;
  entries: number;
  /** Position of the last checkpoint that holds. */
  sealed: number;
  sealedAt: string | null;
  readonly open: Map<string, number>;
  readonly orphaned: Set<string>;
}

export interface ChainReport {
  readonly writer: string;
  readonly first: number;
  readonly last: number;
  /** Of the chain's end, in hex. */
  readonly hash: string;
  readonly sealed: number;
  readonly sealedAt: string | null;
}

const mostFindings = 1_000;

/**
 * Follows all chains of a store through one pass over its rows, in the order of commits. Each row's hash must follow from the
 * row before and its own text; each checkpoint in a chain must be signed and name what stands before it.
 */
export class ChainCheck {
  readonly #keys: readonly VerifierKey[];
  readonly #chains = new Map<string, Chain>();
  readonly #findings: Finding[] = [];
  /** What other places say of chains: (writer, position) must have this hash. */
  readonly #links: WriterHead[] = [];
  /** What the trail says that retention removed, and where it says so. */
  readonly #removals: { readonly head: WriterHead; readonly by: string; readonly position: number }[] = [];
  findingCount = 0;
  entries = 0;

  constructor(keys: readonly VerifierKey[]) {
    this.#keys = keys;
  }

  row(row: StoredRow): void {
    this.entries += 1;
    const known = this.#chains.get(row.writer);
    const chain = known ?? this.#begin(row);
    const before = known?.hash ?? null;
    if (known) this.#follow(chain, row);
    chain.entries += 1;
    if (row.position > chain.position) chain.position = row.position;
    chain.hash = row.hash;
    this.#note(chain, row, before);
  }

  find(kind: FindingKind, at: { writer: string | null; position: number | null }, message: string): void {
    this.findingCount += 1;
    if (this.#findings.length < mostFindings) this.#findings.push({ kind, ...at, message });
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  get links(): readonly WriterHead[] {
    return this.#links;
  }

  get chains(): ChainReport[] {
    return [...this.#chains.values()].map(({ writer, begin, position, hash, sealed, sealedAt }) => {
      return { writer, first: begin.position, last: position, hash, sealed, sealedAt };
    });
  }

  /** Position of the last entry of a chain; 0 where there is none. */
  lastOf(writer: string): number {
    return this.#chains.get(writer)?.position ?? 0;
  }

  /** By writer, the furthest head that retention removed. To be asked once all rows are read. */
  removed(): ReadonlyMap<string, WriterHead> {
    const removed = new Map<string, WriterHead>();
    for (const { head, by, position } of this.#removals) {
      // What comes after the last signed checkpoint anybody could have appended.
      if (position > (this.#chains.get(by)?.sealed ?? 0)) continue;
      if (head.position > (removed.get(head.writer)?.position ?? 0)) removed.set(head.writer, head);
    }
    return removed;
  }

  /** A chain may begin later than at 1 only after what the trail itself, under a signed checkpoint, says that retention removed. */
  compareBeginnings(removed: ReadonlyMap<string, WriterHead>): void {
    for (const { begin } of this.#chains.values()) {
      const gone = begin.position - 1;
      if (gone === 0) continue;
      const head = removed.get(begin.writer);
      if (!head || head.position < gone) {
        const from = (head?.position ?? 0) + 1;
        const message = `entries ${from} to ${gone} are gone, and no retention is on record`;
        this.find('removed', { writer: begin.writer, position: from }, message);
      } else if (head.position === gone) this.#compare(head.hash, begin);
      // Else the removal has not come to its end: its own end is compared instead, like that of a checkpoint.
      else this.#links.push(head);
    }
  }

  /** Request ids whose intent has no outcome; `noticed` where a later start has said so. */
  orphans(): { requestId: string; writer: string; position: number; noticed: boolean }[] {
    const noticed = new Set<string>();
    for (const { orphaned } of this.#chains.values()) for (const id of orphaned) noticed.add(id);
    return [...this.#chains.values()].flatMap(({ writer, open }) =>
      [...open].map(([requestId, position]) => {
        return { requestId, writer, position, noticed: noticed.has(requestId) };
      }),
    );
  }

  #begin(row: StoredRow): Chain {
    const { writer, position } = row;
    const chain: Chain = {
      writer,
      begin: row,
      position,
      hash: row.hash,
      entries: 0,
      sealed: 0,
      sealedAt: null,
      open: new Map(),
      orphaned: new Set(),
    };
    this.#chains.set(writer, chain);
    // A later start is compared when all is read: what was removed is told further down.
    if (position === 1) this.#compare(chainStart(writer), row);
    return chain;
  }

  #follow(chain: Chain, row: StoredRow): void {
    if (row.position === chain.position + 1) {
      this.#compare(chain.hash, row);
      return;
    }
    if (row.position > chain.position) {
      const from = chain.position + 1;
      const what =
        from === row.position - 1 ? `entry ${from} is` : `entries ${from} to ${row.position - 1} are`;
      this.find('missing', { writer: row.writer, position: from }, `${what} missing`);
      return;
    }
    this.find('moved', row, `entry ${row.position} stands after entry ${chain.position}`);
  }

  #compare(before: string, row: StoredRow): void {
    if (chainNext(before, row.text) === row.hash) return;
    this.find('edited', row, `entry ${row.position}, or the hash before it, is not what was written`);
  }

  #note(chain: Chain, row: StoredRow, before: string | null): void {
    const { text } = row;
    if (!isPhase(text, 'event')) {
      const id = requestIdIn(text);
      if (isPhase(text, 'intent')) chain.open.set(id, row.position);
      else chain.open.delete(id);
      return;
    }
    if (isEvent(text, checkpointEvent)) this.#sealed(chain, row, before);
    else if (isEvent(text, chainStartedEvent)) this.#links.push(...headsIn(dataIn(text)));
    else if (isEvent(text, removedEvent)) this.#noteRemoval(row, removedEvent);
    else if (isEvent(text, removalsEvent)) this.#noteRemoval(row, removalsEvent);
    else if (isEvent(text, orphanedEvent)) chain.orphaned.add(requestIdIn(text));
  }

  #sealed(chain: Chain, row: StoredRow, before: string | null): void {
    const checkpoint = this.#checkpointIn(row);
    if (!checkpoint) return;
    if (checkpoint.position !== row.position - 1) {
      this.find('moved', row, `the checkpoint at ${row.position} is about entry ${checkpoint.position}`);
      return;
    }
    if (before !== null && checkpoint.hash !== before) {
      const message = `entry ${checkpoint.position} is not the one that was signed at ${checkpoint.time}`;
      this.find('forked', row, message);
      return;
    }
    chain.sealed = checkpoint.position;
    chain.sealedAt = checkpoint.time;
  }

  #checkpointIn(row: StoredRow): Checkpoint | null {
    const opened = checkpointIn(row, this.#keys);
    if (typeof opened !== 'string') return opened;
    this.find('signature', row, `the checkpoint at ${row.position} is not vouched for: ${opened}`);
    return null;
  }

  #noteRemoval({ text, writer: by, position }: StoredRow, event: string): void {
    for (const head of removedIn(event, dataIn(text))) this.#removals.push({ head, by, position });
  }
}
