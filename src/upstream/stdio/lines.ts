const newline = 0x0a;

export interface LineHandler {
  line(bytes: Buffer): void;
  /** A line grew beyond the limit; the rest of it is skipped. */
  tooLong(): void;
}

/** Splits a byte stream at LF, holding at most `limit` bytes. The stream is the child's, so it may be anything. */
export class LineSplitter {
  readonly #handler: LineHandler;
  readonly #limit: number;
  #parts: Buffer[] = [];
  #held = 0;
  #skipping = false;

  constructor(handler: LineHandler, limit: number) {
    this.#handler = handler;
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      this.#hold(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** Gives what is left when the stream ends without a newline. */
  flush(): void {
    if (this.#held > 0) this.#finish();
  }

  #hold(part: Buffer): void {
    if (this.#skipping || part.length === 0) return;
    if (this.#held + part.length > this.#limit) {
      this.#skipping = true;
      this.#parts = [];
      this.#held = 0;
      this.#handler.tooLong();
      return;
    }
    this.#parts.push(part);
    this.#held += part.length;
  }

  #finish(): void {
    if (!this.#skipping && this.#held > 0) {
      const [first] = this.#parts;
      const line = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts, this.#held);
      this.#parts = [];
      this.#held = 0;
      this.#handler.line(line);
    }
    this.#skipping = false;
  }
}
