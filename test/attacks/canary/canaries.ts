import { randomBytes } from 'node:crypto';

/** Values that must be nowhere but where they are used: each is unmistakable, and says where it was put. */
export class Canaries {
  readonly #values = new Map<string, string>();

  /** A new value for one place. */
  make(where: string): string {
    const value = `${mark}${where.replace(/\W/g, '')}${randomBytes(9).toString('hex')}`;
    this.#values.set(value, where);
    return value;
  }

  /** A value that somebody else made, such as a token: what is looked for is its most telling part. */
  add(where: string, value: string): string {
    this.#values.set(value, where);
    return value;
  }

  get size(): number {
    return this.#values.size;
  }

  /** What is found in the text, in any of the forms that a value takes on its way. */
  foundIn(text: string): string[] {
    const isNear = formsOf(mark).some((form) => text.includes(form));
    return [...this.#values].flatMap(([value, where]) => {
      if (!isNear && value.startsWith(mark)) return [];
      return formsOf(value).some((form) => text.includes(form)) ? [`${where} (${value.slice(0, 40)})`] : [];
    });
  }
}

/** Every value that is made here begins with it, so that one look tells almost every text apart. */
const mark = 'CANARY';

function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  // Of base64 what does not depend on the neighbours, at each of the three offsets.
  const encoded = [0, 1, 2].map((offset) => {
    const before = Buffer.alloc(offset);
    const whole = Math.floor((offset + bytes.length) / 3) * 4;
    return Buffer.concat([before, bytes])
      .toString('base64')
      .slice(offset === 0 ? 0 : offset + 1, whole);
  });
  return [value, encodeURIComponent(value), bytes.toString('hex'), ...encoded];
}
