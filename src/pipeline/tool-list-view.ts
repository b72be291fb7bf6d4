import { isObject, type Json, type JsonObject } from '../protocol/index.ts';
import { toolFacts } from '../upstream/index.ts';
import { type AuthorizedCall, askingOf } from './call.ts';
import { withSecurity } from './security-schemes.ts';

/**
 * The answer to tools/list as this caller may see it: hidden tools left out, each with the scope that it needs, in a stable order.
 * What is shown follows from the same policy and facts as what may be called.
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
  const shown = pinned(tools, call);
  call.server.catalog.learn(shown.map(toolFacts).filter((found) => found !== null));
  return withTools(json, result, visible(shown, call), call);
}

/**
 * Any other message of the upstream as this caller may see it. A tool list comes by other ways than the answer to tools/list: a GET
 * with Last-Event-ID replays one, and two requests with one id in a session get each other's answers. Nothing is learnt
 * from those: a tool could make up such a message to change what is known of another.
 *
 * @returns `json` itself when there is nothing to leave out
 */
export function viewOfMessage(json: Json, call: AuthorizedCall): Json {
  if (Array.isArray(json)) {
    const views = json.map((message) => viewOfMessage(message, call));
    return views.some((view, index) => view !== json[index]) ? views : json;
  }
  if (!isObject(json)) return json;
  const result = json['result'];
  if (!isObject(result) || !Array.isArray(result['tools'])) return json;
  return withTools(json, result, visible(pinned(result['tools'], call), call), call);
}

/**
 * Each definition on its way to a caller is compared with its pin, not only those that the gateway asks for itself: a server may show
 * one list to the one and another to the other. What is sent is made of what was compared.
 */
function pinned(tools: readonly Json[], { server, principal }: AuthorizedCall): Json[] {
  const may = server.pins.see(tools, { caller: principal.subjectKey, whole: false });
  return server.observed.has('pins') ? [...tools] : tools.filter((_, index) => may[index]);
}

function visible(tools: readonly Json[], call: AuthorizedCall): JsonObject[] {
  const shown = tools.map((tool) => viewOfTool(tool, call)).filter((tool) => tool !== null);
  return shown.sort((a, b) => compare(String(a['name']), String(b['name'])));
}

/** @returns null for what is hidden, and for what is no tool */
function viewOfTool(tool: Json, call: AuthorizedCall): JsonObject | null {
  const { policy, stops, name } = call.server;
  const facts = toolFacts(tool);
  if (facts === null || !isObject(tool)) return null;
  // What is wrong with a stopped tool may be its description, which a model reads.
  if (stops.findTool(name, facts.name)) return null;
  const { visibility, scopes } = policy.listing(facts, askingOf(call));
  const observed = call.server.observed.has('scopes');
  if (visibility === 'hidden' && !observed) return null;
  return withSecurity(tool, { scopes, locked: visibility === 'locked' && !observed });
}

function withTools(json: JsonObject, result: JsonObject, tools: Json[], call: AuthorizedCall): JsonObject {
  // The list depends on the caller: no cache may give it to another (MCP 2026-07-28 server/utilities/caching).
  const cache = call.era === 'modern' || 'cacheScope' in result ? { cacheScope: 'private' } : {};
  return { ...withoutTwins(json, 'result'), result: { ...withoutTwins(result, 'tools'), tools, ...cache } };
}

/** Some clients read member names in any letter case: what is beside `tools` in another is a list that nobody has looked at. */
function withoutTwins(object: JsonObject, name: string): JsonObject {
  return Object.fromEntries(
    Object.entries(object).filter(([key]) => key === name || key.toLowerCase() !== name),
  );
}

/** By UTF-16 code units, not by locale: the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
