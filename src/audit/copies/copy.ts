import type { AuditEntry } from '../entry.ts';

/** An entry that the store has taken, on its way to another place. */
export interface Copied {
  readonly writer: string;
  readonly entry: AuditEntry;
  /** One line of JSON, without the newline: the entry's canonical text with its `hash`, `position` and `writer`. */
  readonly text: string;
}

/** A place that gets copies of the trail, beside its store. */
export interface CopyTarget {
  readonly kind: CopyKind;
  /** For people: a path, or a host. Never a credential. */
  readonly place: string;
  /** How much `deliver` is given at once. */
  readonly most: { readonly records: number; readonly bytes: number };
  /**
   * Hands over in order. Rejects when the place did not take them: the same items come again, unless the error is
   * `Undeliverable`. Calls never overlap.
   * @returns how many of them the place itself turned away for good
   */
  deliver(items: readonly Copied[]): Promise<number>;
  close(): Promise<void>;
}

const copyKinds = ['file', 'stdout', 'otlp', 'webhook'] as const;
export type CopyKind = (typeof copyKinds)[number];

/** What the place will never take: trying again would hold up all that follow. */
export class Undeliverable extends Error {
  override readonly name = 'Undeliverable';
}

/** The place said when to come again. */
export class Busy extends Error {
  override readonly name = 'Busy';
  readonly afterMs: number | null;

  constructor(message: string, afterMs: number | null) {
    super(message);
    this.afterMs = afterMs;
  }
}
