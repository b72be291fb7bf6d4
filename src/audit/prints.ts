import { endianness } from 'node:os';

/** Entries that are indexed together. */
export const segmentSize = 16_384;

/** A fingerprint for each place of a segment: 32 bits, in the file's order little-endian. 0 where there is no value. */
export class Prints {
  readonly #at: Uint32Array<ArrayBuffer>;

  /** @param bytes as `bytes()` gave them; none where there are none */
  constructor(bytes?: unknown) {
    this.#at = new Uint32Array(segmentSize);
    const own = Buffer.from(this.#at.buffer);
    if (bytes instanceof Uint8Array && bytes.length === own.length) inFileOrder(own, bytes);
  }

  set(place: number, value: string): void {
    this.#at[place] = printOf(value);
  }

  /** Whether the value may stand there. */
  has(place: number, value: string): boolean {
    return this.#at[place] === printOf(value);
  }

  /** Where the value may stand: others have the same fingerprint once in 260,000 segments. */
  placesOf(value: string): number[] {
    const print = printOf(value);
    const places: number[] = [];
    for (let at = this.#at.indexOf(print); at !== -1; at = this.#at.indexOf(print, at + 1)) places.push(at);
    return places;
  }

  bytes(): Uint8Array {
    const bytes = Buffer.alloc(segmentSize * 4);
    inFileOrder(bytes, Buffer.from(this.#at.buffer));
    return bytes;
  }

  clear(): void {
    this.#at.fill(0);
  }
}

function inFileOrder(target: Buffer, source: Uint8Array): void {
  target.set(source);
  if (endianness() === 'BE') target.swap32();
}

/**
 * FNV-1a over UTF-16 units. Nothing depends on its strength: what it finds is compared with the entry itself, and two values
 * with one fingerprint only cost a look.
 */
function printOf(value: string): number {
  let print = 0x811c9dc5;
  for (let at = 0; at < value.length; at += 1) print = Math.imul(print ^ value.charCodeAt(at), 0x01000193);
  return print >>> 0 || 1;
}
