/**
 * Splits a stream of Server-Sent Events (WHATWG HTML, section 9.2) into events without changing a byte.
 */
export class EventSplitter {
  readonly #maxBytes: number;
  #pending: Buffer[] = [];
  #size = 0;
  /** Whether the current line has no byte yet: the next line end closes an event. */
  #lineEmpty = true;
  #lastWasReturn = false;

  /** @param maxBytes an event larger than this cannot be read: `push` then gives null */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the complete events, each with its closing blank line; null once an event is too large */
  push(chunk: Buffer): Buffer[] | null {
    const events: Buffer[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (this.#endsEvent(chunk[at])) {
        // A CRLF pair may be split over two chunks: its LF then begins the next event, where it is an empty line.
        const end = chunk[at] === 0x0d && chunk[at + 1] === 0x0a ? ++at + 1 : at + 1;
        if (chunk[at] === 0x0a) this.#lastWasReturn = false;
        events.push(this.#take(chunk.subarray(start, end)));
        start = end;
      }
    }
    if (start < chunk.length) {
      this.#pending.push(chunk.subarray(start));
      this.#size += chunk.length - start;
    }
    return this.#size > this.#maxBytes ? null : events;
  }

  /** What came after the last complete event. */
  rest(): Buffer {
    return this.#take(Buffer.alloc(0));
  }

  #endsEvent(byte: number | undefined): boolean {
    const isReturn = byte === 0x0d;
    const isFeed = byte === 0x0a;
    if (isFeed && this.#lastWasReturn) {
      this.#lastWasReturn = false;
      return false;
    }
    this.#lastWasReturn = isReturn;
    if (!isReturn && !isFeed) {
      this.#lineEmpty = false;
      return false;
    }
    const ends = this.#lineEmpty;
    this.#lineEmpty = true;
    return ends;
  }

  #take(last: Buffer): Buffer {
    const event = this.#pending.length === 0 ? last : Buffer.concat([...this.#pending, last]);
    this.#pending = [];
    this.#size = 0;
    return event;
  }
}

/** The `data` of an event, its lines joined; null for a comment or an event without data. */
export function eventData(event: Buffer): string | null {
  let data: string | null = null;
  for (const line of linesOf(event)) {
    if (!line.startsWith('data')) continue;
    const value = line === 'data' ? '' : line[4] === ':' ? line.slice(line[5] === ' ' ? 6 : 5) : null;
    if (value !== null) data = data === null ? value : `${data}\n${value}`;
  }
  return data;
}

/** The same event (id, event and retry lines kept) with other data. `data` holds no line break: it is JSON. */
export function withEventData(event: Buffer, data: string): Buffer {
  const others = linesOf(event).filter((line) => line !== '' && line !== 'data' && !line.startsWith('data:'));
  return Buffer.from([...others, `data: ${data}`, '', ''].join('\n'));
}

/** A byte order mark before the first line of a stream is none of the line's (section 9.2.5): readers leave it out. */
function linesOf(event: Buffer): string[] {
  return event
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/);
}
