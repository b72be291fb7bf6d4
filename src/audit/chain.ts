import { sha256Hex } from '../base/index.ts';

/**
 * The hash chain of one writer. Each hash covers the hash before it and the entry's canonical text, each kind of input under a
 * name of its own (domain separation): no entry can stand for a start of a chain, or for anything else that is hashed
 * here. Everything is text, so that a shell with `sha256sum` can check it. See docs/audit.md.
 */
const startName = 'portcullis audit chain v1';
const entryName = 'portcullis audit entry v1';

/** Where a writer's chain begins, in hex: before its first entry. */
export function chainStart(writer: string): string {
  return sha256Hex(`${startName}\n${writer}`);
}

/**
 * @param before hex: the hash of the entry before, or `chainStart`
 * @param text the entry's canonical JSON, which holds no newline
 */
export function chainNext(before: string, text: string): string {
  return sha256Hex(`${entryName}\n${before}\n${text}`);
}
