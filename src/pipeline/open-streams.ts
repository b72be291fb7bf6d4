/** A stream that wants a comment line when nothing else has been written for a while. */
export interface OpenStream {
  /** Opened to listen (GET, subscriptions/listen), not for the answer to a call. */
  readonly standing: boolean;
  /** Writes a keep-alive comment if the stream is quiet and between two lines. */
  keepAlive(): void;
  /** Ends the stream now: shutdown. */
  close(): void;
}

/** All streams share one timer: an idle one costs a set entry. */
export class OpenStreams {
  readonly #streams = new Set<OpenStream>();
  readonly #timer: NodeJS.Timeout;

  constructor(everyMs: number) {
    this.#timer = setInterval(() => {
      for (const stream of this.#streams) stream.keepAlive();
    }, everyMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#streams.size;
  }

  add(stream: OpenStream): void {
    this.#streams.add(stream);
  }

  delete(stream: OpenStream): void {
    this.#streams.delete(stream);
  }

  /** Ends the streams that would never end by themselves. */
  closeStanding(): void {
    for (const stream of this.#streams) if (stream.standing) stream.close();
  }

  closeAll(): void {
    clearInterval(this.#timer);
    for (const stream of this.#streams) stream.close();
  }
}
