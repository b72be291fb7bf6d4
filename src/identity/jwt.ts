import { isRefusal, readJson } from '../base/index.ts';
import { parseJson } from '../protocol/index.ts';

/** What a token looks like, before anything of it is believed. */
export type Reading =
  | {
      readonly kind: 'jwt';
      readonly header: Readonly<Record<string, unknown>>;
      readonly claims: Readonly<Record<string, unknown>>;
    }
  /** Text that means something to its issuer alone. */
  | { readonly kind: 'opaque' }
  /** A JWT that no reader should take: two could read it differently. */
  | { readonly kind: 'ambiguous'; readonly detail: string };

const maxDepth = 16;
const segment = /^[A-Za-z0-9_-]+$/;

/**
 * RFC 7519 section 4 lets a reader of doubled claim names take the last one; another takes the first. So does JSON in other
 * places: what the signature covers must mean one thing, or the token is refused. That also makes jose read the claims that we
 * know as they are written: it uses JSON.parse, which can misread names that have escapes (`readJson`), and one of ours that has any is
 * refused; what it makes of others has a backslash, and so is none of ours.
 *
 * @param token attacker-controlled
 */
export function readJwt(token: string): Reading {
  const parts = token.split('.', 4);
  const [head = '', body = '', signature = ''] = parts;
  if (parts.length !== 3 || !segment.test(head) || !looksLikeHeader(head)) return { kind: 'opaque' };
  const header = objectIn(head);
  const claims = objectIn(body);
  if (typeof header === 'string') return { kind: 'ambiguous', detail: `header: ${header}` };
  if (typeof claims === 'string') return { kind: 'ambiguous', detail: `claims: ${claims}` };
  if (!isCanonical(signature)) return { kind: 'ambiguous', detail: 'signature: not in base64url' };
  // RFC 7797 and RFC 7516: the claims would be written, or packed, in another way than the one that was read.
  if (Object.hasOwn(header, 'b64') || Object.hasOwn(header, 'zip'))
    return { kind: 'ambiguous', detail: 'header: claims in another encoding' };
  return { kind: 'jwt', header, claims };
}

/** What the signature of a JWT covers; all of a token that is none. */
export function signedPart(token: string): string {
  return readJwt(token).kind === 'jwt' ? token.slice(0, token.lastIndexOf('.')) : token;
}

/** One text for the same bytes (RFC 4648 section 3.5): the bits behind the last byte are zero. */
function isCanonical(part: string): boolean {
  return segment.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part;
}

function looksLikeHeader(part: string): boolean {
  try {
    const value: unknown = readJson(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

/** The object, or why it is none that has one meaning. */
function objectIn(part: string): Record<string, unknown> | string {
  if (!isCanonical(part)) return 'not in base64url';
  const value = parseJson(Buffer.from(part, 'base64url'), maxDepth);
  if (isRefusal(value)) return value.message;
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : 'no object';
}

/** A claim of the object itself, never of its prototype. */
export function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}
