import { isObject, type Json, type JsonObject } from '../../protocol/index.ts';

/** More than this is left unlooked at, which counts as ambiguous. */
const maxVisited = 100_000;

/**
 * Whether some member differs from one that a condition reads by case or by Unicode form alone. Servers exist that read `Amount` as
 * `amount` (CVE-2026-27896 was one): the condition would see one of two values, and the server the other.
 *
 * @param args attacker-controlled
 * @param read names that the condition reads
 */
export function ambiguousMember(args: JsonObject, read: ReadonlySet<string>): boolean {
  const folded = new Set([...read].map(fold));
  const open: Json[] = [args];
  let visited = 0;
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    const members = Array.isArray(value) ? value : Object.values(value);
    visited += members.length;
    if (visited > maxVisited) return true;
    if (isObject(value)) {
      for (const name of Object.keys(value))
        if (!read.has(name) && name.length <= 256 && folded.has(fold(name))) return true;
    }
    for (const member of members) if (typeof member === 'object' && member !== null) open.push(member);
  }
  return false;
}

function fold(name: string): string {
  return name.normalize('NFKC').toUpperCase().toLowerCase();
}
