import { sha256Hex } from '../../base/index.ts';
import { isRecord, jsonOf } from '../exchange.ts';
import type { Tool } from '../tools.ts';

/** Definitions of tools as they were at an earlier check. */
export interface ToolLock {
  readonly version: 1;
  readonly url: string;
  readonly tools: Readonly<Record<string, LockedTool>>;
}

/** What a person compares, and one digest over it. */
export interface LockedTool {
  readonly digest: string;
  readonly description: string;
  /** Canonical JSON of the schema. */
  readonly inputSchema: string;
  readonly annotations: string;
}

const longest = 100_000;

export function lockOf(url: string, tools: readonly Tool[]): ToolLock {
  const sorted = tools.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { version: 1, url, tools: Object.fromEntries(sorted.map((tool) => [tool.name, lockedTool(tool)])) };
}

export function lockedTool(tool: Tool): LockedTool {
  const description = `${tool.title}\n${tool.description}`.trim().slice(0, longest);
  const [inputSchema, annotations] = [sorted(tool.inputSchema), sorted(tool.annotations)];
  const digest = sha256Hex(
    JSON.stringify([description, inputSchema, annotations, sorted(tool.outputSchema)]),
  );
  return { digest, description, inputSchema, annotations };
}

/** @returns the lock, or null for a file that is none */
export function readLock(text: string): ToolLock | null {
  const value = jsonOf(text);
  if (!isRecord(value) || value['version'] !== 1 || typeof value['url'] !== 'string') return null;
  const tools = value['tools'];
  if (!isRecord(tools) || !Object.values(tools).every(isLockedTool)) return null;
  return value as unknown as ToolLock;
}

function isLockedTool(value: unknown): value is LockedTool {
  return (
    isRecord(value) &&
    ['digest', 'description', 'inputSchema', 'annotations'].every((key) => typeof value[key] === 'string')
  );
}

/** JSON with members in one order, so that a server which reorders them has changed nothing. */
function sorted(value: unknown): string {
  const order = (one: unknown): unknown => {
    if (Array.isArray(one)) return one.map(order);
    if (!isRecord(one)) return one;
    return Object.fromEntries(
      Object.keys(one)
        .toSorted()
        .map((key) => [key, order(one[key])]),
    );
  };
  return (JSON.stringify(order(value)) ?? 'null').slice(0, longest);
}
