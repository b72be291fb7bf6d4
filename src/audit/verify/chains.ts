import { chainNext, chainStart } from '../chain.ts';
import {
  chainStartedEvent,
  checkpointEvent,
  checkpointIn,
  dataIn,
  headOf,
  orphanedEvent,
  type StoredRow,
} from '../entry-text.ts';
import type { Checkpoint, VerifierKey } from '../note.ts';
import { headsIn, removalsEvent, removedEvent, removedIn } from '../retention/removal.ts';
import type { WriterHead } from '../sinks/sink.ts';
import type { Finding, FindingKind } from './finding.ts';
import type { ChainEndpoint, ChainPart, Part, Removed } from './part.ts';

/** Where one chain stands in the check. */
interface Chain {
  readonly writer: string;
  /** The first entry that is there, or of this stretch of rows. */
  readonly begin: StoredRow;
  /** What stands before this stretch; null where the chain begins in it. */
  readonly after: ChainEndpoint | null;
  position: number;
  /** Null before the first entry is followed. */
  hash: string | null;
  /** Position of the last checkpoint that holds. */
  sealed: number;
  sealedAt: string | null;
  readonly open: Map<string, number>;
  /** Outcomes whose intent is not in this stretch. Null where the stretch is the whole. */
  readonly ended: string[] | null;
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

/** What stands before a row that is the first of its chain in a stretch; null where nothing does. */
export type Resume = (row: StoredRow) => ChainEndpoint | null;

/**
 * Follows all chains of a store through one pass over its rows, or over a stretch of them, in the order of commits. Each row's hash must follow from the
 * row before and its own text; each checkpoint in a chain must be signed and name what stands before it.
 */
export class ChainCheck {
  readonly #keys: readonly VerifierKey[];
  readonly #resume: Resume | null;
  readonly #chains = new Map<string, Chain>();
  readonly #findings: Finding[] = [];
  /** What other places say of chains: (writer, position) must have this hash. */
  readonly #links: WriterHead[] = [];
  /** What the trail says that retention removed, and where it says so. */
  readonly #removals: Removed[] = [];
  findingCount = 0;
  entries = 0;

  /** @param resume for a stretch of rows alone */
  constructor(keys: readonly VerifierKey[], resume: Resume | null = null) {
    this.#keys = keys;
    this.#resume = resume;
  }

  row(row: StoredRow): void {
    this.entries += 1;
    const chain = this.#chains.get(row.writer) ?? this.#begin(row);
    const before = chain.hash;
    if (before !== null) this.#follow(chain, row, before);
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
      return { writer, first: begin.position, last: position, hash: hash ?? '', sealed, sealedAt };
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

  /** What a stretch of rows says, where nothing was found in it. */
  part(): Part {
    const chains = [...this.#chains.values()].map(
      ({ begin, after, position, hash, sealed, sealedAt, open, ended, orphaned }): ChainPart => {
        const end = { position, hash: hash ?? '' };
        return { begin, after, end, sealed, sealedAt, open, ended: ended?.join('\n') ?? '', orphaned };
      },
    );
    return { entries: this.entries, chains, links: this.#links, removals: this.#removals };
  }

  /** Goes on with the next stretch. @returns false where it does not follow from what was read: nothing of it counts then */
  join({ entries, chains, links, removals }: Part): boolean {
    for (const { begin, after } of chains) {
      const known = this.#chains.get(begin.writer);
      if (known?.position !== after?.position || known?.hash !== after?.hash) return false;
    }
    for (const part of chains) {
      const chain = this.#chains.get(part.begin.writer) ?? this.#begin(part.begin);
      chain.position = part.end.position;
      chain.hash = part.end.hash;
      if (part.sealed > 0) [chain.sealed, chain.sealedAt] = [part.sealed, part.sealedAt];
      if (chain.open.size > 0) for (const id of part.ended.split('\n')) chain.open.delete(id);
      for (const [id, position] of part.open) chain.open.set(id, position);
      for (const id of part.orphaned) chain.orphaned.add(id);
    }
    this.entries += entries;
    this.#links.push(...links);
    this.#removals.push(...removals);
    return true;
  }

  #begin(row: StoredRow): Chain {
    const { writer, position } = row;
    const after = this.#resume?.(row) ?? null;
    const chain: Chain = {
      writer,
      begin: row,
      after,
      position: after?.position ?? position,
      hash: after?.hash ?? null,
      sealed: 0,
      sealedAt: null,
      open: new Map(),
      ended: this.#resume && [],
      orphaned: new Set(),
    };
    this.#chains.set(writer, chain);
    // A later start is compared when all is read: what was removed is told further down.
    if (position === 1) this.#compare(chainStart(writer), row);
    return chain;
  }

  #follow(chain: Chain, row: StoredRow, before: string): void {
    if (row.position === chain.position + 1) {
      this.#compare(before, row);
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
    const { phase, event, requestId } = headOf(row);
    if (phase !== 'event') {
      if (phase === 'intent') chain.open.set(requestId, row.position);
      else if (!chain.open.delete(requestId)) chain.ended?.push(requestId);
      return;
    }
    if (event === checkpointEvent) this.#sealed(chain, row, before);
    else if (event === chainStartedEvent) this.#links.push(...headsIn(dataIn(row.text)));
    else if (event === removedEvent || event === removalsEvent) this.#noteRemoval(row, event);
    else if (event === orphanedEvent) chain.orphaned.add(requestId);
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
