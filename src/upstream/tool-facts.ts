import type { ToolFacts } from '../policy/index.ts';
import { isObject, type Json, type JsonObject, type MirroredParameter } from '../protocol/index.ts';

const maxHeaderParameters = 32;
const maxSchemaDepth = 16;

/**
 * What a tool's definition says, as far as decisions need it. The definition is untrusted: it is the server's word.
 *
 * @returns null for what is no tool
 */
export function toolFacts(tool: Json | undefined): ToolFacts | null {
  if (!isObject(tool) || typeof tool['name'] !== 'string' || tool['name'] === '') return null;
  const annotations = isObject(tool['annotations']) ? tool['annotations'] : {};
  const schema = tool['inputSchema'];
  const parameters = isObject(schema) ? mirroredParameters(schema, []) : [];
  return {
    name: tool['name'],
    ...hint(annotations, 'readOnlyHint'),
    ...hint(annotations, 'destructiveHint'),
    ...hint(annotations, 'idempotentHint'),
    ...hint(annotations, 'openWorldHint'),
    ...(schema === undefined ? {} : { inputSchema: JSON.stringify(schema) }),
    ...(parameters.length > 0 ? { headerParameters: parameters } : {}),
  };
}

function hint<Name extends string>(annotations: JsonObject, name: Name): Partial<Record<Name, boolean>> {
  const value = annotations[name];
  return typeof value === 'boolean' ? ({ [name]: value } as Partial<Record<Name, boolean>>) : {};
}

/** `x-mcp-header` annotations, reachable through `properties` alone (MCP 2026-07-28 streamable-http, "Schema Extension"). */
function mirroredParameters(schema: JsonObject, path: readonly string[]): MirroredParameter[] {
  const properties = schema['properties'];
  if (!isObject(properties) || path.length >= maxSchemaDepth) return [];
  const found: MirroredParameter[] = [];
  for (const [name, property] of Object.entries(properties)) {
    if (!isObject(property)) continue;
    const here = [...path, name];
    const header = property['x-mcp-header'];
    const type = property['type'];
    if (typeof header === 'string' && (type === 'string' || type === 'integer' || type === 'boolean')) {
      found.push({ header: header.toLowerCase(), path: here, type });
    }
    found.push(...mirroredParameters(property, here));
    if (found.length > maxHeaderParameters) break;
  }
  return found.slice(0, maxHeaderParameters);
}
