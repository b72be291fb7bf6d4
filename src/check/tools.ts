import type { AllowedTool, CheckContext } from './context.ts';
import type { NamedSecret } from './evidence.ts';
import { type Exchange, isRecord, stringsOf } from './exchange.ts';
import { connect, type McpClient, rpcOf } from './mcp.ts';
import { somebody } from './somebody.ts';

/** A tool as the server describes it: its word. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: unknown;
  readonly outputSchema: unknown;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly required: readonly string[];
  /** All of it, as it came. */
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface ToolList {
  readonly tools: readonly Tool[];
  readonly exchange: Exchange;
  readonly result: Readonly<Record<string, unknown>>;
}

const listBytes = 4 * 1024 * 1024;
const mostTools = 2000;
const mostPages = 10;

/** The list as the good token sees it. */
export async function toolList(context: CheckContext): Promise<ToolList | null> {
  const client = await context.once(somebody);
  return client === null ? null : list(client);
}

export async function listAs(context: CheckContext, token: NamedSecret): Promise<ToolList | null> {
  const client = await connect(context, token);
  return client === null ? null : list(client);
}

async function list(client: McpClient): Promise<ToolList | null> {
  let first: ToolList | null = null;
  let cursor: unknown;
  const tools: Tool[] = [];
  for (let page = 0; page < mostPages && tools.length < mostTools; page++) {
    const params = typeof cursor === 'string' ? { cursor } : {};
    const exchange = await client.send('tools/list', params, { maxBytes: listBytes });
    const result = rpcOf(exchange)?.result;
    if (result === undefined) break;
    const listed = Array.isArray(result['tools']) ? result['tools'] : [];
    tools.push(...listed.slice(0, mostTools).filter(isRecord).map(toolFrom));
    first ??= { tools, exchange, result };
    cursor = result['nextCursor'];
    if (typeof cursor !== 'string') break;
  }
  return first;
}

function toolFrom(raw: Readonly<Record<string, unknown>>): Tool {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const { inputSchema, outputSchema, annotations } = raw;
  return {
    raw,
    name: text(raw['name']).slice(0, 200),
    title: text(raw['title']),
    description: text(raw['description']),
    inputSchema,
    outputSchema,
    annotations: isRecord(annotations) ? annotations : {},
    required: isRecord(inputSchema) ? stringsOf(inputSchema['required']) : [],
  };
}

export type ToolKind = 'reads' | 'writes' | 'destroys';

/** Of the tools that the person allows to be called, the first that its hints put in this class. */
export async function toolOf(context: CheckContext, kind: ToolKind): Promise<AllowedTool | null> {
  const list = await context.once(toolList);
  const described = (name: string) => list?.tools.find((tool) => tool.name === name);
  const found = context.allowed.tools.find(({ name }) => {
    const tool = described(name);
    return tool !== undefined && kindsOf(tool).includes(kind);
  });
  return found ?? null;
}

/** What hints and name say. Without hints a tool may destroy: that is the default of the specification. */
function kindsOf({ annotations, name }: Tool): readonly ToolKind[] {
  if (annotations['readOnlyHint'] === true) return ['reads'];
  const destroys = annotations['destructiveHint'] === true || isDestructiveName(name);
  return destroys ? ['writes', 'destroys'] : ['writes'];
}

export function isDestructiveName(name: string): boolean {
  return /(^|[_\-./])(delete|remove|drop|destroy|purge|wipe|truncate|erase|revoke|kill|terminate)([_\-./]|$)/i.test(
    snake(name),
  );
}

export function isWritingName(name: string): boolean {
  const verbs =
    /(^|[_\-./])(create|update|write|send|post|put|set|add|insert|upload|publish|pay|transfer|move|rename|execute|run)([_\-./]|$)/i;
  return isDestructiveName(name) || verbs.test(snake(name));
}

/** `deleteUser` → `delete_User` */
function snake(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, '$1_$2');
}
