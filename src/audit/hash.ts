import canonicalize from 'canonicalize';
import { sha256Hex } from '../base/index.ts';
import type { Json, JsonObject } from '../protocol/index.ts';

/** Arguments as the bytes that are hashed. `jcs`: RFC 8785. `raw`: arguments that have no RFC 8785 form. */
export interface ArgumentsForm {
  readonly kind: 'jcs' | 'raw';
  readonly text: string;
}

/**
 * `sha256:<hex>` over the RFC 8785 form of a call's arguments: the same arguments in any order of keys hash alike.
 * Arguments with a lone surrogate have no such form (I-JSON, RFC 7493 section 2.1): they give `sha256-raw:<hex>` over
 * their JSON in the order received, lone surrogates escaped as `\ud800`. Never throws for what JSON.parse gives;
 * `unhashable` when even that fails (nesting beyond what the parser lets through).
 */
export function argumentsHash(argumentsJson: JsonObject): string {
  const form = argumentsForm(argumentsJson);
  if (!form) return 'unhashable';
  return `${form.kind === 'jcs' ? 'sha256' : 'sha256-raw'}:${sha256Hex(form.text)}`;
}

/** The text to hash, apart from how it is hashed: a keyed hash takes the same. Undefined when there is none. */
export function argumentsForm(argumentsJson: JsonObject): ArgumentsForm | undefined {
  const quick = flatForm(argumentsJson);
  if (quick !== undefined) return { kind: 'jcs', text: quick };
  try {
    const text = canonicalize(argumentsJson);
    if (text !== undefined) return { kind: 'jcs', text };
  } catch {
    // attacker-controlled: a lone surrogate
  }
  try {
    return { kind: 'raw', text: JSON.stringify(argumentsJson) };
  } catch {
    return undefined;
  }
}

const mostFlat = 16;

/** Most calls have a few arguments without nesting; their form needs no walk. Undefined for all others. */
function flatForm(object: JsonObject): string | undefined {
  const keys = Object.keys(object);
  if (keys.length > mostFlat) return undefined;
  keys.sort(); // by UTF-16 code units, as RFC 8785 section 3.2.3 asks
  let text = '{';
  for (const key of keys) {
    const value = scalarForm(object[key]);
    if (value === undefined || !key.isWellFormed()) return undefined;
    text += `${text.length > 1 ? ',' : ''}${JSON.stringify(key)}:${value}`;
  }
  return `${text}}`;
}

function scalarForm(value: Json | undefined): string | undefined {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : undefined;
  return typeof value === 'string' && value.isWellFormed() ? JSON.stringify(value) : undefined;
}
