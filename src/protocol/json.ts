import { type Refusal, readJson, refuse, type Span, withNames } from '../base/index.ts';
import type { Json } from './message.ts';
import { isNestedDeeper } from './nesting.ts';

/**
 * Reads JSON that has one meaning for every parser (RFC 8259 leaves the rest open): valid UTF-8 without a byte order mark,
 * no member twice in one object, no lone surrogate, no name in escapes that it does not need, no integer that a double
 * cannot hold, no number that overflows, bounded depth. What was checked, hashed and shown is then what any upstream reads from the same bytes.
 *
 * @param bytes attacker-controlled
 */
export function parseJson(bytes: Uint8Array, maxDepth: number): Json | Refusal {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return refuse('malformed_json', 'The body begins with a byte order mark');
  }
  let text: string;
  let value: Json;
  try {
    text = decoder.decode(bytes);
    if (isNestedDeeper(text, maxDepth)) {
      return refuse('malformed_json', `The body is nested deeper than ${maxDepth}`);
    }
    value = JSON.parse(text) as Json;
  } catch {
    return refuse('malformed_json', 'The body is not JSON in UTF-8');
  }
  const scanner = new Scanner(text);
  const ambiguity = scanner.scan();
  if (ambiguity !== null) return refuse('malformed_json', ambiguity);
  const { escapedNames } = scanner;
  if (escapedNames.length === 0) return value;
  if (hasTooMany(text, escapedNames))
    return refuse('malformed_json', 'Too many names are written with escapes');
  // As `readJson` does, by what the scanner has seen anyway.
  return withNames(text, escapedNames) as Json;
}

/** Each costs five times what a plain one does: no message has more, but one that is made to be slow. */
const mostEscapedNames = 10_000;

function hasTooMany(text: string, names: readonly Span[]): boolean {
  if (names.length <= mostEscapedNames) return false;
  return new Set(names.map(({ start, end }) => text.slice(start, end))).size > mostEscapedNames;
}

/**
 * What no writer of JSON escapes in a name: letters, digits and marks that are safe everywhere. Readers have been seen to misread
 * escaped names (see `readJson`): an upstream that does must not be made to miss a member that a rule here has seen. Quotes, control
 * characters, `/`, what is special in HTML, and all that is not ASCII are written with escapes by some.
 */
const some = '22|26|27|2b|3c|3d|3e|5c|60|7f';
const needlessEscape = new RegExp(
  `^(?:[^\\\\]|\\\\[^u]|\\\\u(?!00[2-7])|\\\\u00(?:${some}))*?\\\\u00(?!${some})[2-7]`,
  'i',
);

/** Beyond what any result needs; JSON.parse alone would take megabytes of brackets, and seconds for them. */
const deepestOfUpstream = 1000;

export function isBeyondReason(text: string): boolean {
  return isNestedDeeper(text, deepestOfUpstream);
}

/**
 * JSON of a server behind the gateway, which reads it to know what it passes on.
 * @returns undefined for what is none, and for what is nested beyond reason
 */
export function parseUpstreamJson(text: string): Json | undefined {
  if (isBeyondReason(text)) return undefined;
  try {
    return readJson(text) as Json;
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;
const MINUS = 0x2d;

/** Walks text that JSON.parse has accepted, so syntax needs no second check: only what JSON.parse lets through. */
class Scanner {
  readonly #text: string;
  /** One entry per open container: the keys seen in an object, or null for an array. */
  readonly #open: (Set<string> | null)[] = [];
  readonly escapedNames: Span[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** @returns what is ambiguous, or null */
  scan(): string | null {
    const text = this.#text;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      let fault: string | null = null;
      if (code === QUOTE) fault = this.#string();
      else if (code === MINUS || (code >= 0x30 && code <= 0x39)) fault = this.#number();
      else {
        this.#at += 1;
        if (code === OPEN_OBJECT) this.#open.push(new Set());
        else if (code === OPEN_ARRAY) this.#open.push(null);
        else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) this.#open.pop();
      }
      if (fault !== null) return fault;
    }
    return null;
  }

  #string(): string | null {
    const text = this.#text;
    const start = this.#at;
    let escaped = false;
    let at = start + 1;
    for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
      if (code === BACKSLASH) {
        escaped = true;
        at += 1;
      }
      at += 1;
    }
    this.#at = at + 1;
    const raw = text.slice(start, at + 1);
    const value = escaped ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (escaped && !value.isWellFormed()) return 'A string holds half a surrogate pair';
    if (!this.#isKey()) return null;
    if (escaped) {
      if (needlessEscape.test(raw))
        return 'The name of a member is written with an escape that it does not need';
      this.escapedNames.push({ start, end: this.#at });
    }
    return this.#key(value);
  }

  /** In valid JSON only a member's name is followed by a colon. */
  #isKey(): boolean {
    let at = this.#at;
    let code = this.#text.charCodeAt(at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09)
      code = this.#text.charCodeAt(++at);
    return code === COLON;
  }

  #key(name: string): string | null {
    const keys = this.#open.at(-1);
    if (keys === null || keys === undefined) return null;
    if (keys.has(name)) return 'An object has the same member twice';
    keys.add(name);
    return null;
  }

  #number(): string | null {
    const text = this.#text;
    const start = this.#at;
    let integer = true;
    let at = start + 1;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code >= 0x30 && code <= 0x39) continue;
      if (code !== 0x2e && code !== 0x65 && code !== 0x45 && code !== 0x2b && code !== MINUS) break;
      integer = false;
    }
    this.#at = at;
    if (integer && at - start < 16) return null;
    const value = Number(text.slice(start, at));
    if (!Number.isFinite(value)) return 'A number is too large';
    return integer && !Number.isSafeInteger(value) ? 'An integer is beyond 2^53: send it as a string' : null;
  }
}
