import canonicalize from 'canonicalize';
import { messageOf, sha256Hex } from '../base/index.ts';
import { isObject, type Json, type JsonObject } from '../protocol/index.ts';

/** One tool as its server describes it: all of it, read one way. Untrusted, every byte. */
export interface Definition {
  readonly name: string;
  /** `sha256:<hex>` over `text`. */
  readonly hash: string;
  /** The RFC 8785 form: what was hashed, kept and is compared. */
  readonly text: string;
  readonly tool: JsonObject;
}

export interface UnreadableDefinition {
  readonly name: string;
  readonly unreadable: string;
}

/** Definitions larger than this are not shown to anyone: nobody reviews them. */
const maxDefinitionCharacters = 64 * 1024;
/** The same for one text in it. Bounds the time that looking for cues takes, too. */
const maxTextCharacters = 16 * 1024;
const maxDepth = 48;

/**
 * What a server says of a tool, in the one form that is hashed.
 *
 * @param tool an entry of `result.tools`; attacker-controlled
 * @returns null for what is no tool at all
 */
export function readDefinition(tool: Json | undefined): Definition | UnreadableDefinition | null {
  if (!isObject(tool) || typeof tool['name'] !== 'string' || tool['name'] === '') return null;
  const { name } = tool;
  if (name.length > 256)
    return { name: name.slice(0, 256), unreadable: 'its name has more than 256 characters' };
  if (isDeeperThan(tool, maxDepth)) return { name, unreadable: `nested deeper than ${maxDepth} levels` };
  const own = withoutReplaced(tool);
  try {
    // Throws for what has no such form: a lone surrogate, a number that overflowed.
    const long = longestText(own);
    if (long > maxTextCharacters)
      return { name, unreadable: `a text of more than ${maxTextCharacters} characters` };
    const text = canonicalize(own) ?? '';
    if (text.length > maxDefinitionCharacters)
      return { name, unreadable: `larger than ${maxDefinitionCharacters} characters` };
    return { name, hash: definitionHash(text), text, tool: own };
  } catch (error) {
    return { name, unreadable: messageOf(error).slice(0, 200) };
  }
}

export function definitionHash(text: string): string {
  return `sha256:${sha256Hex(text)}`;
}

export function isUnreadable(found: Definition | UnreadableDefinition): found is UnreadableDefinition {
  return 'unreadable' in found;
}

/** `securitySchemes` is our word in every list that a client gets: what the server says there reaches nobody. */
function withoutReplaced(tool: JsonObject): JsonObject {
  const { securitySchemes: _, _meta: meta, ...rest } = tool;
  if (!isObject(meta)) return meta === undefined ? rest : { ...rest, _meta: meta };
  const { securitySchemes: __, ...kept } = meta;
  return Object.keys(kept).length === 0 ? rest : { ...rest, _meta: kept };
}

function longestText(value: Json): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Math.max(
    0,
    ...Object.keys(value).map((key) => key.length),
    ...Object.values(value).map(longestText),
  );
}

function isDeeperThan(value: Json, levels: number): boolean {
  let layer: Json[] = [value];
  for (let depth = 0; layer.length > 0; depth++) {
    if (depth > levels) return true;
    layer = layer.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return false;
}
