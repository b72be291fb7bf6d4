import type { Json } from '../../protocol/index.ts';

/**
 * Steps that one check may take: a schema node at a value, a character of a text that is looked through. Some tens of milliseconds. What
 * an upstream's schema multiplies, or a caller's value, ends here.
 */
const maxSteps = 500_000;
const maxDepth = 400;

export class TooCostly extends Error {
  override readonly name = 'TooCostly';
}

/** One check of one value. */
export class Run {
  #left = maxSteps;
  #depth = 0;

  /** @throws TooCostly */
  charge(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooCostly();
  }

  enter(): void {
    this.charge(1);
    if (++this.#depth > maxDepth) throw new TooCostly();
  }

  leave(): void {
    this.#depth--;
  }
}

/** Where a value stands. A key is a name of the schema's or a number; a name that the caller chose is `*`. */
export interface Place {
  readonly parent: Place | null;
  readonly key: string | number;
}

/** The value does not fit. Holds nothing of the value. */
export interface Misfit {
  readonly place: Place | null;
  readonly problem: string;
}

/** What a schema has looked at, for `unevaluatedProperties` and `unevaluatedItems` (2020-12 core, section 11). */
export class Seen {
  readonly properties = new Set<string>();
  readonly items = new Set<number>();

  add(other: Seen): void {
    for (const name of other.properties) this.properties.add(name);
    for (const index of other.items) this.items.add(index);
  }
}

export interface At {
  readonly place: Place | null;
  readonly run: Run;
  /** Null where nobody asks. */
  readonly seen: Seen | null;
}

/** A schema, compiled: the first thing that does not fit, or null. */
export type Check = (value: Json, at: At) => Misfit | null;

/** JSON pointer (RFC 6901). */
export function pointerOf(place: Place | null): string {
  const keys: string[] = [];
  for (let at = place; at !== null; at = at.parent)
    keys.push(String(at.key).replaceAll('~', '~0').replaceAll('/', '~1'));
  return keys
    .map((key) => `/${key}`)
    .toReversed()
    .join('');
}

export function depthOf(place: Place | null): number {
  let depth = 0;
  for (let at = place; at !== null; at = at.parent) depth++;
  return depth;
}
