/**
 * What a condition may read in one evaluation, in characters of text, each time that they are read. It bounds the time of a
 * condition to tens of milliseconds, whatever a caller sends: `test/policy/condition-costs.test.ts` has the worst that we could think of.
 */
export const maxReading = 100_000;
/** One element of a list, and a step of the expression for it, in characters. */
export const elementCharge = 10;
/** A step of a regular expression, which is at its slowest while its automaton is built. */
export const patternCharge = 4;

/** Thrown inside of an evaluation, where the library turns it into an error of the expression. */
export class TooCostly extends Error {
  override readonly name = 'TooCostly';

  constructor() {
    super('it reads too much');
  }
}

/** Counts one evaluation at a time: evaluating is synchronous. */
export class Meter {
  #left = 0;
  #exhausted = false;

  start(): void {
    this.#left = maxReading;
    this.#exhausted = false;
  }

  /** Whether an evaluation ran out; `a || b` of CEL would otherwise forgive the error of one side. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /** @throws TooCostly */
  charge(amount: number): void {
    this.#left -= amount;
    if (this.#left >= 0) return;
    this.#exhausted = true;
    throw new TooCostly();
  }
}
