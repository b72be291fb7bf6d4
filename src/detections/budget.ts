/**
 * How many alerts a rule may raise in an hour for one kind of key. Whoever can make up keys can make a rule fire for each of
 * them; the audit trail gets every one, the people who are woken get the first and then a sum. Keys that need an
 * authenticated caller have a budget of their own, so that strangers cannot use it up.
 */
export class Budget {
  readonly #perHour: number;
  readonly #kinds = new Map<string, { since: number; raised: number; held: number }>();

  constructor(perHour: number) {
    this.#perHour = perHour;
  }

  /**
   * @param kind of a closed list: the rule and the names of the key's fields
   * @param now milliseconds of the monotonic clock
   */
  spend(kind: string, now: number): boolean {
    let spent = this.#kinds.get(kind);
    if (!spent || spent.since <= now - 3_600_000) {
      spent = { since: now, raised: 0, held: spent?.held ?? 0 };
      this.#kinds.set(kind, spent);
    }
    if (spent.raised < this.#perHour) {
      spent.raised += 1;
      return true;
    }
    spent.held += 1;
    return false;
  }

  /** What was held back since this was asked last, by kind. */
  takeHeld(): { readonly kind: string; readonly held: number }[] {
    const held = [...this.#kinds].flatMap(([kind, spent]) =>
      spent.held > 0 ? [{ kind, held: spent.held }] : [],
    );
    for (const { kind } of held) {
      const spent = this.#kinds.get(kind);
      if (spent) spent.held = 0;
    }
    return held;
  }
}
