import { inspect } from 'node:util';

const hidden = '[secret]';

/**
 * A value that cannot be printed by accident: string conversion, JSON, template literals and `util.inspect`
 * all give `[secret]`. Only `reveal()` gives the value, so every use can be found by searching for it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [Symbol.toPrimitive](): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}
