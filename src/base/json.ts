import { randomBytes } from 'node:crypto';

/**
 * JSON.parse that takes the names of members as they are written.
 *
 * V8 13.6 (Node 24; not yet 11.3, Node 20) compares a name that has escapes as raw text, cut to the length that it has without
 * them, with the name that came next in an earlier object that began alike. After `{"\\":1}` was parsed, `{"\"":1}` has the member
 * `\` in a fresh process, and after `{"\\u0":1}`, `{"\u0061ud":1}` has `\u0` and no `aud`; for long. Whoever sends JSON here could so hide a
 * member from us that every other reader sees. Names without escapes, and values, are not touched by it; what comes out instead of
 * a name always has a backslash.
 *
 * @throws SyntaxError as JSON.parse does
 */
export function readJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const names = text.includes('\\') ? escapedNames(text) : [];
  return names.length === 0 ? value : withNames(text, names);
}

/** Where a name stands, with its quotes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

// Nobody who writes JSON knows it, so it is no member's name.
const mark = randomBytes(12).toString('hex');

/**
 * Parses the text with a stand-in for each of these names, then puts the names back.
 * @param text that JSON.parse accepts
 * @param names all that have escapes, in the order of the text
 */
export function withNames(text: string, names: readonly Span[]): unknown {
  const written = new Map<string, string>();
  let plain = '';
  let at = 0;
  for (const { start, end } of names) {
    const standIn = mark + written.size;
    written.set(standIn, JSON.parse(text.slice(start, end)) as string);
    plain += `${text.slice(at, start)}"${standIn}"`;
    at = end;
  }
  return JSON.parse(plain + text.slice(at), (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const members = Object.entries(value);
    if (!members.some(([name]) => written.has(name))) return value;
    return Object.fromEntries(members.map(([name, inner]) => [written.get(name) ?? name, inner]));
  });
}

const BACKSLASH = 0x5c;
const COLON = 0x3a;
const SPACE = 0x20;

/** In JSON only the name of a member is followed by a colon. */
function escapedNames(text: string): Span[] {
  const found: Span[] = [];
  let start = text.indexOf('"');
  while (start >= 0) {
    let escaped = false;
    let end = text.indexOf('"', start + 1);
    while (isEscaped(text, end)) {
      escaped = true;
      end = text.indexOf('"', end + 1);
    }
    end += 1;
    let next = end;
    // Space, tab and line ends are all of them that stand here.
    while (text.charCodeAt(next) <= SPACE) next += 1;
    if (text.charCodeAt(next) === COLON) {
      escaped ||= text.slice(start, end).includes('\\');
      if (escaped) found.push({ start, end });
    }
    start = text.indexOf('"', next);
  }
  return found;
}

function isEscaped(text: string, quote: number): boolean {
  let before = quote - 1;
  while (text.charCodeAt(before) === BACKSLASH) before -= 1;
  return (quote - before) % 2 === 0;
}
