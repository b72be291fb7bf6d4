import type { Principal } from '../identity/index.ts';

/** A stream that wants a comment line when nothing else has been written for a while. */
export interface OpenStream {
  /** Opened to listen (GET, subscriptions/listen), not for the answer to a call. */
  readonly standing: boolean;
  readonly server: string;
  readonly principal: Principal;
  /** Writes a keep-alive comment if the stream is quiet and between two lines. */
  keepAlive(): void;
  /** Tells whoever listens for it that the tools are others now. */
  toolsChanged(): void;
  /** Ends the stream now: shutdown. */
  close(): void;
  /** Cuts the stream: the token that opened it is no longer good. */
  revoke(): void;
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

  /** Whose streams of a server are open; each once. */
  principals(server: string): ReadonlySet<Principal> {
    const found = new Set<Principal>();
    for (const stream of this.#streams) if (stream.server === server) found.add(stream.principal);
    return found;
  }

  toolsChanged(server: string): void {
    for (const stream of this.#streams)
      if (stream.server === server && stream.standing) stream.toolsChanged();
  }

  /** Ends the streams that would never end by themselves. */
  closeStanding(): void {
    for (const stream of this.#streams) if (stream.standing) stream.close();
  }

  /** Cuts the streams of a server whose principals are no longer good. */
  endRevoked(server: string, isRevoked: (principal: Principal) => boolean): void {
    for (const stream of this.#streams) {
      if (stream.server === server && isRevoked(stream.principal)) stream.revoke();
    }
  }

  closeAll(): void {
    clearInterval(this.#timer);
    for (const stream of this.#streams) stream.close();
  }
}
