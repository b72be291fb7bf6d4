import { neutralText } from '../base/index.ts';

/** All of it: what is cut off is what somebody would hide there. */
const longestLine = 1_000_000;

/**
 * Two JSON values, member by member: lines that begin with `-` and `+` where they differ. Text of a server: one line each, and nothing
 * in it that a terminal obeys or a reader does not see.
 */
export function differences(before: unknown, after: unknown): string[] {
  const [old, now] = [leavesOf(before), leavesOf(after)];
  const lines: string[] = [];
  for (const path of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(path), now.get(path)];
    if (was === is) continue;
    if (was !== undefined) lines.push(`  - ${lineOf(path, was)}`);
    if (is !== undefined) lines.push(`  + ${lineOf(path, is)}`);
  }
  return lines;
}

function lineOf(path: string, value: string): string {
  return neutralText(`${path}: ${value}`, longestLine);
}

function leavesOf(value: unknown, path = '', found = new Map<string, string>()): Map<string, string> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    if (value !== null || path !== '') found.set(path, JSON.stringify(value));
    return found;
  }
  for (const [key, inner] of Object.entries(value))
    leavesOf(inner, path === '' ? key : `${path}.${key}`, found);
  return found;
}
