import { EventSplitter, eventData, metaKeys } from '../protocol/index.ts';
import type { CheckContext } from './context.ts';
import type { Ask } from './door.ts';
import type { NamedSecret } from './evidence.ts';
import { type Exchange, headerOf, isRecord, isSuccess, jsonOf } from './exchange.ts';

export const modernRevision = '2026-07-28';
export const legacyRevision = '2025-11-25';
export type Era = 'modern' | 'legacy';

export interface McpRequest {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly era: Era;
  readonly id?: string | number;
  readonly session?: string | null;
  /** In place of what would be sent, or beside it; null leaves one out. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** In place of the message that would be sent. */
  readonly body?: string | Buffer;
  readonly token?: NamedSecret;
  readonly unpaced?: boolean;
  readonly maxBytes?: number;
}

/** A request as a well-behaved client of that era sends it, but for what is said otherwise. */
export function mcpAsk(wanted: McpRequest): Ask {
  const { method, params = {}, era, id = 1, session = null, token } = wanted;
  const name = params['name'] ?? params['uri'];
  const _meta = {
    [metaKeys.protocolVersion]: modernRevision,
    [metaKeys.clientInfo]: { name: 'portcullis-check', version: '1' },
    [metaKeys.clientCapabilities]: {},
    ...(isRecord(params['_meta']) ? params['_meta'] : {}),
  };
  const sent = era === 'modern' ? { ...params, _meta } : params;
  const message = { jsonrpc: '2.0', id, method, params: sent };
  const headers: Record<string, string | null> = {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    ...(method !== 'initialize' && {
      'MCP-Protocol-Version': era === 'modern' ? modernRevision : legacyRevision,
    }),
    ...(era === 'modern' && { 'Mcp-Method': method }),
    ...(era === 'modern' && typeof name === 'string' && { 'Mcp-Name': name }),
    ...(session !== null && { 'Mcp-Session-Id': session }),
    ...wanted.headers,
  };
  return {
    method: 'POST',
    headers: Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== null),
    body: wanted.body ?? JSON.stringify(message),
    enough: (text) => rpcIn(text, 'text/event-stream') !== null && !text.startsWith('{'),
    ...(token && { token }),
    ...(wanted.unpaced && { unpaced: true }),
    ...(wanted.maxBytes !== undefined && { maxBytes: wanted.maxBytes }),
  };
}

export interface RpcAnswer {
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: {
    readonly code: unknown;
    readonly message: unknown;
    readonly data?: unknown;
  };
}

/** The JSON-RPC response in an answer, from JSON or from an event stream; null where there is none. */
export function rpcOf(exchange: Exchange): RpcAnswer | null {
  return rpcIn(exchange.body, headerOf(exchange, 'content-type') ?? '');
}

function rpcIn(text: string, contentType: string): RpcAnswer | null {
  if (!contentType.includes('event-stream')) return answerIn(jsonOf(text));
  for (const event of new EventSplitter(4 * 1024 * 1024).push(Buffer.from(text)) ?? []) {
    const found = answerIn(jsonOf(eventData(event) ?? ''));
    if (found !== null) return found;
  }
  return null;
}

function answerIn(value: unknown): RpcAnswer | null {
  if (!isRecord(value)) return null;
  const { result, error } = value;
  if (isRecord(result)) return { result };
  return isRecord(error)
    ? { error: { code: error['code'], message: error['message'], data: error['data'] } }
    : null;
}

/** Somebody who talks to the server, with or without a token, in the era that it speaks. */
export interface McpClient {
  readonly era: Era;
  readonly session: string | null;
  /** What the server said of itself: `server/discover` or `initialize`. */
  readonly greeting: Exchange;
  send(method: string, params?: Record<string, unknown>, more?: Partial<McpRequest>): Promise<Exchange>;
}

/** @returns null if the server does not let them in, in either era */
export async function connect(context: CheckContext, token: NamedSecret | null): Promise<McpClient | null> {
  const { door } = context;
  const as = token === null ? {} : { token };
  const client = (era: Era, session: string | null, greeting: Exchange): McpClient => ({
    era,
    session,
    greeting,
    send: (method, params = {}, more = {}) =>
      door.ask(mcpAsk({ method, params, era, session, ...as, ...more })),
  });
  const modern = await door.ask(mcpAsk({ method: 'server/discover', era: 'modern', ...as }));
  if (isSuccess(modern) && rpcOf(modern)?.result) return client('modern', null, modern);
  const legacy = await door.ask(mcpAsk({ ...initialize, ...as }));
  if (!isSuccess(legacy) || !rpcOf(legacy)?.result) return null;
  const session = headerOf(legacy, 'mcp-session-id');
  const ready = mcpAsk({ method: 'notifications/initialized', era: 'legacy', session, ...as });
  await door.ask({ ...ready, body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' });
  return client('legacy', session, legacy);
}

export const initialize: McpRequest = {
  method: 'initialize',
  era: 'legacy',
  params: {
    protocolVersion: legacyRevision,
    capabilities: {},
    clientInfo: { name: 'portcullis-check', version: '1' },
  },
};

/** A tool that no server has. */
export const nobodysTool = 'portcullis_check_no_such_tool';
