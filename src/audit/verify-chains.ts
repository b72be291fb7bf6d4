import { chainNext, chainStart } from './chain.ts';
import { chainStartedEvent, checkpointEvent } from './checkpointer.ts';
import { type Checkpoint, openCheckpoint, signedText, type VerifierKey } from './note.ts';
import type { WriterHead } from './sinks/sink.ts';

/** One stored row, as found. Attacker-controlled. */
export interface StoredRow {
  readonly writer: string;
  readonly position: number;
  readonly text: string;
  readonly hash: string;
}

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
  /** Of the first entry that is there. */
  readonly first: number;
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

/** Written, and sealed, before retention removes what it names. */
export const removedEvent = 'audit.removed';

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
    if (known) this.#follow(chain, row);
    chain.entries += 1;
    if (row.position > chain.position) chain.position = row.position;
    chain.hash = row.hash;
    this.#note(chain, row);
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
    return [...this.#chains.values()].map(({ writer, first, position, hash, sealed, sealedAt }) => {
      return { writer, first, last: position, hash, sealed, sealedAt };
    });
  }

  chain(writer: string): ChainReport | undefined {
    return this.chains.find((one) => one.writer === writer);
  }

  /**
   * Up to where retention removed entries of a chain; 0 for nowhere. Only a removal under a signed checkpoint counts: what comes
   * after the last one anybody could have appended.
   */
  removedThrough(writer: string): number {
    const counted = this.#removals.filter(({ head, by, position }) => {
      return head.writer === writer && position <= (this.#chains.get(by)?.sealed ?? 0);
    });
    return Math.max(0, ...counted.map(({ head }) => head.position));
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
      first: position,
      position,
      hash: row.hash,
      entries: 0,
      sealed: 0,
      sealedAt: null,
      open: new Map(),
      orphaned: new Set(),
    };
    this.#chains.set(writer, chain);
    if (position === 1) this.#compare(chainStart(writer), row);
    else this.#startsAtCheckpoint(row);
    return chain;
  }

  /** After retention a chain begins with the checkpoint that sealed what was removed. */
  #startsAtCheckpoint(row: StoredRow): void {
    const checkpoint = isEvent(row.text, checkpointEvent) ? this.#checkpointIn(row) : null;
    if (checkpoint?.position === row.position - 1) this.#compare(checkpoint.hash, row);
    else this.find('missing', row, `entries 1 to ${row.position - 1} are missing`);
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

  #note(chain: Chain, row: StoredRow): void {
    const { text } = row;
    if (!isPhase(text, 'event')) {
      const id = requestIdIn(text);
      if (isPhase(text, 'intent')) chain.open.set(id, row.position);
      else chain.open.delete(id);
      return;
    }
    if (isEvent(text, checkpointEvent)) this.#sealed(chain, row);
    else if (isEvent(text, chainStartedEvent)) this.#links.push(...linksIn(dataOf(text)));
    else if (isEvent(text, removedEvent)) this.#noteRemoval(row);
    else if (isEvent(text, 'call.orphaned')) chain.orphaned.add(requestIdIn(text));
  }

  #sealed(chain: Chain, row: StoredRow): void {
    const checkpoint = this.#checkpointIn(row);
    if (!checkpoint) return;
    if (checkpoint.position !== row.position - 1) {
      this.find('moved', row, `the checkpoint at ${row.position} is about entry ${checkpoint.position}`);
      return;
    }
    chain.sealed = checkpoint.position;
    chain.sealedAt = checkpoint.time;
    this.#links.push(checkpoint);
  }

  #checkpointIn(row: StoredRow): Checkpoint | null {
    const data = dataOf(row.text);
    const checkpoint = {
      writer: row.writer,
      position: Number(data['position']),
      hash: String(data['hash']),
      time: String(data['time']),
    };
    const opened = openCheckpoint(signedText(checkpoint, String(data['signature'])), this.#keys);
    if (typeof opened !== 'string') return opened;
    this.find('signature', row, `the checkpoint at ${row.position} is not vouched for: ${opened}`);
    return null;
  }

  #noteRemoval({ text, writer: by, position }: StoredRow): void {
    const data = dataOf(text);
    const head = {
      writer: String(data['writer']),
      position: Number(data['through']),
      hash: String(data['hash']),
    };
    this.#removals.push({ head, by, position });
  }
}

function isPhase(text: string, phase: string): boolean {
  return text.includes(`"phase":"${phase}"`);
}

function isEvent(text: string, event: string): boolean {
  return text.includes(`"event":"${event}"`);
}

const requestIdMark = '"request_id":"';

/** Quotes in values are escaped in JSON: the mark can only be the member. */
function requestIdIn(text: string): string {
  const at = text.indexOf(requestIdMark);
  if (at === -1) return '';
  const start = at + requestIdMark.length;
  return text.slice(start, text.indexOf('"', start));
}

function dataOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(text).data ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function linksIn(data: Readonly<Record<string, unknown>>): WriterHead[] {
  return Object.entries(data).flatMap(([name, value]) => {
    const parts = name.startsWith('chain_') ? /^(\S+) (\d+) ([0-9a-f]{64})$/.exec(String(value)) : null;
    return parts ? [{ writer: parts[1] ?? '', position: Number(parts[2]), hash: parts[3] ?? '' }] : [];
  });
}
