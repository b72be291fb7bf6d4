import type { CheckContext } from '../context.ts';
import type { Door } from '../door.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { initialize, type McpRequest, mcpAsk, nobodysTool, rpcOf } from '../mcp.ts';

/** What a stranger gets for one request. */
export interface Opening {
  readonly request: McpRequest;
  readonly exchange: Exchange;
  /** The server looked into the request instead of asking who is there. */
  readonly open: boolean;
}

const strangersRequests: readonly McpRequest[] = [
  { method: 'tools/list', era: 'modern' },
  { method: 'server/discover', era: 'modern' },
  { method: 'tools/call', era: 'modern', params: { name: nobodysTool, arguments: {} } },
  { method: 'resources/list', era: 'modern' },
  { method: 'prompts/list', era: 'modern' },
  { method: 'tools/list', era: 'legacy' },
  { method: 'tools/call', era: 'legacy', params: { name: nobodysTool, arguments: {} } },
  { method: 'ping', era: 'legacy' },
  initialize,
];

/** The first requests of a client of each era, without a token. */
export async function openings({ door }: CheckContext): Promise<Opening[]> {
  const found: Opening[] = [];
  for (const request of strangersRequests) {
    const exchange = await door.ask(mcpAsk(request));
    found.push({ request, exchange, open: isOpen(exchange) });
  }
  const session = found.find(({ request, open }) => request === initialize && open)?.exchange;
  const id = session && headerOf(session, 'mcp-session-id');
  if (id) found.push(...(await withSession(door, id)));
  return found;
}

/** A server with sessions answers the rest only to those who greeted it. */
async function withSession(door: Door, session: string): Promise<Opening[]> {
  const found: Opening[] = [];
  for (const request of strangersRequests.filter(
    ({ method, era }) => era === 'legacy' && method !== 'initialize',
  )) {
    const exchange = await door.ask(mcpAsk({ ...request, session }));
    found.push({ request: { ...request, session }, exchange, open: isOpen(exchange) });
  }
  return found;
}

/** A result, or an error about the call itself, says that nobody was asked for a token first. */
function isOpen(exchange: Exchange): boolean {
  const answer = rpcOf(exchange);
  if (!isSuccess(exchange) || answer === null) return false;
  return answer.result !== undefined || [-32601, -32602].includes(Number(answer.error?.code));
}

/** A request that strangers are refused with 401: what a bad token is tried on. Null where everything is open. */
export async function guarded(context: CheckContext): Promise<McpRequest | null> {
  const all = await context.once(openings);
  return all.find(({ exchange }) => exchange.status === 401)?.request ?? null;
}
