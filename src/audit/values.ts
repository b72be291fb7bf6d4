import { isSecretName, neutralText, readJson, redact } from '../base/index.ts';

// One value of an entry each: bounded, neutral, free of what looks like a credential, and of the declared type whatever
// was passed, since one value that the store refuses would hold up all that follow.

export type Scalar = string | number | boolean;
export type Value =
  | Scalar
  | readonly (string | Readonly<Record<string, string | null>>)[]
  | Readonly<Record<string, Scalar | null>>
  | null;

/** Longest values, in UTF-16 units. Longer ones end in `…`. */
export const longest = {
  detail: 500,
  target: 500,
  tool_name: 200,
  arguments: 72_000,
  other: 300,
} as const;
const mostNames = 64;
const mostNameText = 4_000;
const mostData = 32;
const mostWouldDeny = 16;

/** Times, UUIDs, hashes as we write them: printable, and no credential has such letters alone. */
const harmless = /^(?:(?:hmac-)?sha256(?:-raw)?:)?[0-9a-f:.TZ-]*$/;

export function text(value: unknown, limit: number = longest.other): string | null {
  if (typeof value !== 'string') return null;
  if (value.length <= limit && harmless.test(value)) return value;
  // The window is wider than the limit so that a credential which crosses the limit is still seen whole enough.
  return neutralText(redact(value.length > limit * 2 ? value.slice(0, limit * 2) : value), limit);
}

/** `text` of what is text. */
export function shownText(value: string, limit: number = Number.MAX_SAFE_INTEGER): string {
  return text(value, limit) ?? '';
}

/** A text that is safe to keep, and its JSON. */
export interface Remembered {
  readonly value: string;
  readonly json: string;
}

const seen = new Map<string, Remembered>();
const mostSeen = 8_192;

/** `text` and its JSON, remembered: who calls and what rule decides are the same strings over and over. */
export function remembered(value: string): Remembered {
  const known = seen.get(value);
  if (known) return known;
  const clean = text(value) ?? '';
  const made = { value: clean, json: JSON.stringify(clean) };
  if (value.length <= longest.other) {
    if (seen.size >= mostSeen) seen.clear();
    seen.set(value, made);
  }
  return made;
}

export function repeated(value: unknown): string | null {
  return typeof value === 'string' ? remembered(value).value : null;
}

/** `text` of what is harmless as it is; null for all else. */
export function plainText(value: string): Remembered | null {
  return value.length <= longest.other && harmless.test(value) ? { value, json: `"${value}"` } : null;
}

export function names(values: unknown): string[] {
  if (!Array.isArray(values)) return [];
  const found: string[] = [];
  let room = mostNameText;
  for (const value of values) {
    const name = repeated(value) ?? '';
    room -= name.length;
    if (found.length === mostNames || room < 0) return [...found, '…'];
    found.push(name);
  }
  return found;
}

/** Members in the order of RFC 8785. */
export function wouldDeny(values: unknown): Readonly<Record<string, string | null>>[] {
  if (!Array.isArray(values)) return [];
  return values.slice(0, mostWouldDeny).map((one) => ({
    layer: repeated(one?.layer) ?? '',
    reason: repeated(one?.reason) ?? '',
    rule: repeated(one?.rule),
  }));
}

/** Members beyond the first 32 are left out. */
export function data(value: unknown): Readonly<Record<string, Scalar | null>> {
  if (typeof value !== 'object' || value === null) return {};
  // `fromEntries`: a member called __proto__ is one like any other.
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, mostData)
      .map(([name, member]) => [
        text(name) ?? '',
        typeof member === 'string' ? text(member, longest.detail) : scalar(member),
      ]),
  );
}

/** RFC 7516 section 7.1: five parts. Ours, and unreadable for whoever has no key. */
const compactJwe = /^[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+$/;
/** Of captured arguments that are not encrypted. */
const longestExcerpt = 16_384;

/**
 * Arguments as they were captured: a JWE, or JSON whose strings are clean already, stay as they are. Half of either would be nothing,
 * and what looks like a credential from one string into the next would be mended to what is no JSON.
 */
export function captured(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  if (compactJwe.test(value)) return value.length <= longest.arguments ? value : null;
  return value.length <= longestExcerpt && isCleanJson(value) ? value : text(value, longestExcerpt);
}

function isCleanJson(value: string): boolean {
  try {
    return neutralText(value, longestExcerpt) === value && isClean(readJson(value));
  } catch {
    return false;
  }
}

function isClean(value: unknown): boolean {
  if (typeof value === 'string') return redact(value) === value;
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(
    ([name, inner]) => redact(name) === name && isClean(inner) && (!isSecretName(name) || isHidden(inner)),
  );
}

/** `[redacted]`, `[masked]`, a hash: what a capture puts in the place of a value. */
function isHidden(value: unknown): boolean {
  return typeof value === 'string' && /^(?:\[|…|hmac-sha256)/.test(value);
}

export function amount(value: unknown): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  const rounded = Math.round(value * 1_000) / 1_000;
  return Number.isFinite(rounded) ? rounded + 0 : null; // RFC 8785 knows no -0
}

export function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : null;
}

export function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

/** Made by the trail itself. */
export function kept(value: unknown): Value {
  return value as Value;
}

function scalar(value: unknown): number | boolean | null {
  return typeof value === 'boolean' ? value : typeof value === 'number' ? amount(value) : null;
}
