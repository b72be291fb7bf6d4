import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

/** The documents that a reader meets, as paths from the root. */
export const documents: readonly string[] = [
  ...globSync('*.md', { cwd: root }),
  ...globSync('docs/*.md', { cwd: root }),
].map((path) => path.replaceAll('\\', '/'));

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

export interface Block {
  readonly language: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** The comment on the line before: `runs` for `<!-- runs -->`. */
  readonly mark: string | null;
}

/** Fenced code blocks, in order. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const fence = /^```(\w*)$/.exec(lines[at] ?? '');
    if (!fence) continue;
    const end = lines.indexOf('```', at + 1);
    if (end === -1) throw new Error(`the fence in line ${at + 1} is not closed`);
    const mark = /^<!-- (\w+) -->$/.exec(lines[at - 1] ?? '')?.[1] ?? null;
    blocks.push({
      language: fence[1] ?? '',
      text: lines.slice(at + 1, end).join('\n'),
      line: at + 1,
      mark,
    });
    at = end;
  }
  return blocks;
}

/** The text without code blocks and inline code. */
export function proseOf(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '``');
}
