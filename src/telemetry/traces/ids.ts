import { randomFillSync } from 'node:crypto';

/** Random ids, a few hundred with one call into the system. */
export class RandomIds {
  readonly #pool = Buffer.alloc(4096);
  #at = this.#pool.length;

  traceId(): string {
    return this.#hex(16);
  }

  spanId(): string {
    return this.#hex(8);
  }

  /** Never all zero: that is no id (W3C Trace Context, section 3.2.2). */
  #hex(bytes: number): string {
    for (;;) {
      if (this.#at + bytes > this.#pool.length) {
        randomFillSync(this.#pool);
        this.#at = 0;
      }
      const id = this.#pool.toString('hex', this.#at, this.#at + bytes);
      this.#at += bytes;
      if (/[1-9a-f]/.test(id)) return id;
    }
  }
}
