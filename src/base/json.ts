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

// Nobody who writes JSON knows it, so it begins no member's name.
const mark = randomBytes(12).toString('base64url');

/**
 * Parses the text with a stand-in for each of these names, then puts the names back.
 * @param text that JSON.parse accepts
 * @param names all that have escapes, in the order of the text
 */
export function withNames(text: string, names: readonly Span[]): unknown {
  const standIns = new Map<string, string>();
  const written = new Map<string, string>();
  let plain = '';
  let at = 0;
  for (const { start, end } of names) {
    const raw = text.slice(start, end);
    let standIn = standIns.get(raw);
    if (standIn === undefined) {
      const name = mark + standIns.size;
      written.set(name, JSON.parse(raw) as string);
      standIn = `"${name}"`;
      standIns.set(raw, standIn);
    }
    plain += text.slice(at, start) + standIn;
    at = end;
  }
  return putBack(JSON.parse(plain + text.slice(at)), written);
}

/** By hand: a reviver takes a second for a megabyte, and nothing else happens meanwhile. */
function putBack(value: unknown, written: ReadonlyMap<string, string>): unknown {
  const root = [value];
  const waiting: object[] = [root];
  const visit = (inner: unknown): unknown => {
    if (typeof inner !== 'object' || inner === null) return inner;
    const renamed = Array.isArray(inner) ? inner : withRealNames(inner, written);
    waiting.push(renamed);
    return renamed;
  };
  for (let holder = waiting.pop(); holder !== undefined; holder = waiting.pop()) {
    if (Array.isArray(holder)) {
      for (let index = 0; index < holder.length; index++) holder[index] = visit(holder[index]);
    } else {
      // Own members all of them, so that even `__proto__` is set and not called.
      const members = holder as Record<string, unknown>;
      for (const name of Object.keys(members)) {
        const inner = members[name];
        if (typeof inner === 'object') members[name] = visit(inner);
      }
    }
  }
  return root[0];
}

function withRealNames(object: object, written: ReadonlyMap<string, string>): object {
  const members = Object.entries(object);
  if (!members.some(([name]) => name.startsWith(mark))) return object;
  return Object.fromEntries(members.map(([name, inner]) => [written.get(name) ?? name, inner]));
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
