import type { Refusal } from '../base/index.ts';

/**
 * One HTTP request, without saying whose HTTP stack it came through: the gateway's own server, or a framework's.
 * Everything in it is attacker-controlled but `address`.
 */
export interface IncomingRequest {
  readonly httpMethod: string;
  /** The URL's query with its `?`, or empty. */
  readonly search: string;
  readonly headers: RequestHeaders;
  /** Peer address, or the client's where a declared trusted proxy says so. */
  readonly address: string;
  /** SHA-256 of the client's certificate in base64url, as its TLS handshake proved it; null where there is none. */
  readonly certificate?: () => string | null;
  /**
   * Reads the body once, whole.
   * @param take asked before each part is kept; its refusal ends the reading
   */
  body(maxBytes: number, take: (bytes: number) => Refusal | null): Promise<Buffer | Refusal>;
}

/** Headers as they were sent: a name that came twice can be told from one that came once. */
export class RequestHeaders {
  readonly #values = new Map<string, string>();
  readonly #repeated = new Set<string>();

  /** @param raw names and values in turn, as node:http gives them in `rawHeaders` */
  constructor(raw: readonly string[]) {
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = (raw[at] ?? '').toLowerCase();
      const value = raw[at + 1] ?? '';
      const before = this.#values.get(name);
      if (before === undefined) this.#values.set(name, value);
      else {
        this.#repeated.add(name);
        this.#values.set(name, `${before}, ${value}`);
      }
    }
  }

  /** @param name lower case */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  isRepeated(name: string): boolean {
    return this.#repeated.has(name);
  }

  names(): Iterable<string> {
    return this.#values.keys();
  }
}

/** Where the answer goes. */
export interface Reply {
  start(status: number, headers: Readonly<Record<string, string>>): void;
  /** @returns false when the client is behind: wait for `onDrain` */
  write(chunk: Buffer): boolean;
  end(chunk?: Buffer): void;
  /** Cuts the connection: the client must not take what it has for the whole answer. */
  cut(): void;
  onDrain(listener: () => void): void;
  /** The client went away before `end`. Called at most once. */
  onGone(listener: () => void): void;
}
