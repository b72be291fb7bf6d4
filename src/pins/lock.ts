import { readFileSync, statSync } from 'node:fs';
import { messageOf, neutralJson, OperationError, readJson } from '../base/index.ts';
import { isObject, type Json } from '../protocol/index.ts';
import { type Definition, isUnreadable, readDefinition } from './definition.ts';

/** Server → tool → what was reviewed. */
export type LockedPins = ReadonlyMap<string, ReadonlyMap<string, Definition>>;

const version = 1;
const maxBytes = 64 * 1024 * 1024;

/** The file to review and commit: names in order, one member a line, so that a difference reads as one. */
export function formatLock(pins: Iterable<{ server: string; definition: Definition }>): string {
  const servers: Record<string, Record<string, { hash: string; definition: Json }>> = {};
  const sorted = [...pins].sort(
    (a, b) => compare(a.server, b.server) || compare(a.definition.name, b.definition.name),
  );
  for (const { server, definition } of sorted) {
    servers[server] ??= {};
    Object.defineProperty(servers[server], definition.name, {
      value: { hash: definition.hash, definition: definition.tool },
      enumerable: true,
    });
  }
  // Whoever reviews it must see what the server wrote, and its terminal or editor must not obey it.
  return `${neutralJson(JSON.stringify({ version, servers }, null, 2))}\n`;
}

/**
 * @param file absolute
 * @throws OperationError when it is missing, unreadable, or says a hash that its definition does not have
 */
export function readLock(file: string): LockedPins {
  try {
    if (statSync(file).size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
    return parseLock(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new OperationError(`the lock file ${file} cannot be used: ${messageOf(error)}`, {
      hint: 'write it with portcullis pins export, and review it',
    });
  }
}

function parseLock(text: string): LockedPins {
  const json = readJson(text) as Json;
  if (!isObject(json) || json['version'] !== version || !isObject(json['servers'])) {
    throw new Error(`it is no lock file of version ${version}`);
  }
  return new Map(
    Object.entries(json['servers']).map(([server, tools]) => {
      if (!isObject(tools)) throw new Error(`servers.${server} is no map of tools`);
      return [server, new Map(Object.entries(tools).map(([name, entry]) => [name, lockedTool(name, entry)]))];
    }),
  );
}

function lockedTool(name: string, entry: Json): Definition {
  const found = isObject(entry) ? readDefinition(entry['definition']) : null;
  if (found === null || isUnreadable(found) || found.name !== name) {
    throw new Error(`${name.slice(0, 80)} has no definition of that name`);
  }
  if (!isObject(entry) || entry['hash'] !== found.hash)
    throw new Error(`the hash of ${name.slice(0, 80)} is not that of its definition`);
  return found;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
