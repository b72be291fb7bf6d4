import { type Log, messageOf } from '../base/index.ts';
import type { Waiting } from './backlog.ts';
import { chainNext, chainStart } from './chain.ts';
import type { AuditEntry } from './entry.ts';
import type { ChainHead } from './sinks/sink.ts';

type Placeable = Pick<Waiting, 'phase' | 'record' | 'text'>;
type Listener = (entry: AuditEntry) => void;

/** The durable end of this writer's chain. */
export class ChainEnd {
  readonly #log: Log;
  #position = 0;
  #hash: string;
  readonly #listeners = new Set<Listener>();

  constructor(writer: string, log: Log) {
    this.#log = log;
    this.#hash = chainStart(writer);
  }

  /** 0 before the first entry. */
  get position(): number {
    return this.#position;
  }

  last(): { readonly position: number; readonly hash: string } {
    return { position: this.#position, hash: this.#hash };
  }

  /** The items as the next entries. */
  place(items: readonly Placeable[]): AuditEntry[] {
    let hash = this.#hash;
    return items.map(({ phase, record, text }, index) => {
      hash = chainNext(hash, text);
      return { position: this.#position + 1 + index, phase, record, text, hash };
    });
  }

  /** `entries` are durable: the chain goes on after them. */
  advance(entries: readonly AuditEntry[]): void {
    const last = entries.at(-1);
    if (!last) return;
    this.#position = last.position;
    this.#hash = last.hash;
    for (const listener of this.#listeners) {
      try {
        for (const entry of entries) listener(entry);
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'a listener of the audit trail failed');
      }
    }
  }

  /** Whether a store whose chain ends at `head` holds exactly this chain. */
  isAt(head: ChainHead): boolean {
    return head.position === this.#position && (head.hash === null || head.hash === this.#hash);
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
