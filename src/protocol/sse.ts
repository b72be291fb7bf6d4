const lineFeed = 0x0a;
const carriageReturn = 0x0d;

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
    const next = lineEnds(chunk);
    let start = 0;
    let line = 0;
    for (let at = next(0); at !== -1; at = next(line)) {
      const isReturn = chunk[at] === carriageReturn;
      const isEmpty = at === line && this.#lineEmpty;
      // The LF of a CRLF ends no second line. One that comes with the next chunk begins the next event.
      const isSecond = !isReturn && at === line && this.#lastWasReturn;
      line = at + 1;
      this.#lastWasReturn = isReturn;
      if (isSecond) continue;
      this.#lineEmpty = true;
      if (!isEmpty) continue;
      if (isReturn && chunk[line] === lineFeed) {
        line += 1;
        this.#lastWasReturn = false;
      }
      events.push(this.#take(chunk.subarray(start, line)));
      start = line;
    }
    this.#keep(chunk, start, line);
    return this.#size > this.#maxBytes ? null : events;
  }

  /** What came after the last complete event. */
  rest(): Buffer {
    return this.#take(Buffer.alloc(0));
  }

  #keep(chunk: Buffer, start: number, line: number): void {
    if (line < chunk.length) {
      this.#lineEmpty = false;
      this.#lastWasReturn = false;
    }
    if (start === chunk.length) return;
    this.#pending.push(chunk.subarray(start));
    this.#size += chunk.length - start;
  }

  #take(last: Buffer): Buffer {
    const event = this.#pending.length === 0 ? last : Buffer.concat([...this.#pending, last]);
    this.#pending = [];
    this.#size = 0;
    return event;
  }
}

/** Finds the next CR or LF at or behind a place; each search goes over the chunk once in all. */
function lineEnds(chunk: Buffer): (from: number) => number {
  let feed = chunk.indexOf(lineFeed);
  let back = chunk.indexOf(carriageReturn);
  return (from) => {
    if (feed !== -1 && feed < from) feed = chunk.indexOf(lineFeed, from);
    if (back !== -1 && back < from) back = chunk.indexOf(carriageReturn, from);
    if (feed === -1 || back === -1) return Math.max(feed, back);
    return Math.min(feed, back);
  };
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

/** The same event with other ids. Those that say nothing stay: an empty one takes back what came before (section 9.2.6). */
export function withEventIds(event: Buffer, other: (id: string) => string): Buffer {
  if (!event.includes('id:')) return event;
  const lines = linesOf(event);
  const changed = lines.map((line) => {
    const [, id = ''] = /^id: ?(.+)$/.exec(line) ?? [];
    return id === '' ? line : `id: ${other(id)}`;
  });
  return changed.every((line, at) => line === lines[at]) ? event : Buffer.from(changed.join('\n'));
}

/** A byte order mark before the first line of a stream is none of the line's (section 9.2.5): readers leave it out. */
function linesOf(event: Buffer): string[] {
  return event
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/);
}
