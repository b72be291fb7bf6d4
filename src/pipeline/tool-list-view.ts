import { isObject, type Json, type JsonObject } from '../protocol/index.ts';
import { toolFacts } from '../upstream/index.ts';
import type { AuthorizedCall } from './call.ts';

/**
 * The answer to tools/list as this caller may see it: hidden tools left out, locked ones named as such, in a stable order. What is
 * shown follows from the same policy and facts as what may be called.
 *
 * @param json the upstream's JSON-RPC response
 * @returns the response to send, or null if it is none that can be read
 */
export function viewOfToolList(json: Json, call: AuthorizedCall): JsonObject | null {
  if (!isObject(json)) return null;
  const result = json['result'];
  if (!isObject(result)) return 'error' in json || 'method' in json ? json : null;
  const tools = result['tools'];
  if (!Array.isArray(tools)) return null;
  const shown = tools.flatMap((tool) => viewOfTool(tool, call));
  shown.sort((a, b) => compare(String(a['name']), String(b['name'])));
  // The list depends on the caller: no cache may give it to another (MCP 2026-07-28 server/utilities/caching).
  const cache = call.era === 'modern' || 'cacheScope' in result ? { cacheScope: 'private' } : {};
  return { ...json, result: { ...result, tools: shown, ...cache } };
}

function viewOfTool(tool: Json, call: AuthorizedCall): JsonObject[] {
  const facts = toolFacts(tool);
  if (facts === null || !isObject(tool)) return [];
  const { policy, catalog } = call.server;
  catalog.learn([facts]);
  return policy.visibility(facts, call.principal.scopes) === 'hidden' ? [] : [tool];
}

/** By UTF-16 code units, not by locale: the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
