import { chainNext } from '../chain.ts';
import {
  checkpointEvent,
  checkpointIn,
  isEvent,
  isPhase,
  receivedAtIn,
  requestIdIn,
  type StoredRow,
} from '../entry-text.ts';
import type { VerifierKey } from '../note.ts';

/**
 * The beginning of a chain, read before any of it may go: only what is provably as it was written, and provably old, by what is
 * signed, is ever removed. Whoever can write to the store cannot make the gateway remove what is new, or remove traces of a change.
 */
export class Stretch {
  readonly #keys: readonly VerifierKey[];
  readonly #before: string;
  #hash: string | null;
  first: StoredRow | null = null;
  last: StoredRow | null = null;
  /** Positions of the signed checkpoints that are old enough. */
  readonly checkpoints: number[] = [];
  /** Intents without an outcome here: where they stand. */
  readonly open = new Map<string, number>();
  /** What is not as it was written. */
  fault: string | null = null;
  /** Signed with a key that is not known here: another replica's. It can be neither trusted nor blamed. */
  isForeign = false;

  /** @param start the hash before the first row; null when only a checkpoint there can tell */
  constructor({
    keys,
    before,
    start,
  }: { keys: readonly VerifierKey[]; before: string; start: string | null }) {
    this.#keys = keys;
    this.#before = before;
    this.#hash = start;
  }

  row(row: StoredRow): void {
    if (this.fault || this.isForeign) return;
    const checkpoint = isEvent(row.text, checkpointEvent) ? checkpointIn(row, this.#keys) : null;
    if (checkpoint === 'unknown key') {
      this.isForeign = true;
      return;
    }
    const sealed = checkpoint && typeof checkpoint !== 'string' ? checkpoint : null;
    const before = this.#hash ?? (sealed?.position === row.position - 1 ? sealed.hash : null);
    const follows = before !== null && chainNext(before, row.text) === row.hash;
    const inOrder = !this.last || this.last.position + 1 === row.position;
    if (!follows || !inOrder) {
      this.fault = `entry ${row.position} is not what was written`;
      return;
    }
    if (checkpoint && (sealed?.position !== row.position - 1 || sealed.hash !== before)) {
      this.fault = `the checkpoint at ${row.position} is not vouched for`;
      return;
    }
    if (sealed && sealed.time < this.#before) this.checkpoints.push(row.position);
    this.#note(row);
  }

  #note(row: StoredRow): void {
    this.first ??= row;
    this.last = row;
    this.#hash = row.hash;
    if (isPhase(row.text, 'intent')) this.open.set(requestIdIn(row.text), row.position);
    else if (isPhase(row.text, 'outcome')) this.open.delete(requestIdIn(row.text));
  }

  get oldest(): string {
    return receivedAtIn(this.first?.text ?? '');
  }
}
