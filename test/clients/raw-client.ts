import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';

/** A call without a library: one connection, which can be cut at any byte. */
export interface RawAnswer {
  readonly answer: IncomingMessage;
  readonly call: ClientRequest;
}

export interface RawTarget {
  readonly url: string;
  readonly token?: string;
  readonly headers?: Record<string, string>;
}

/** Posts a JSON-RPC message on a connection of its own. Resolves with the head of the answer. */
export async function post({ url, token, headers = {} }: RawTarget, message: object): Promise<RawAnswer> {
  const call = request(url, {
    method: 'POST',
    agent: false,
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  call.end(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  return { answer, call };
}

export async function textOfAnswer({ answer }: RawAnswer): Promise<string> {
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return text;
}

/** Sends a request without a body on a connection of its own. */
export async function send(
  method: 'GET' | 'DELETE',
  { url, token, headers = {} }: RawTarget,
): Promise<RawAnswer> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const call = request(url, {
    method,
    agent: false,
    headers: { accept: 'text/event-stream', ...authorization, ...headers },
  }).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  return { answer, call };
}

/** A request as 2026-07-28 has it: everything is in it. */
export function modernRequest(method: string, params: Record<string, unknown>) {
  const prefix = 'io.modelcontextprotocol';
  const name = params['name'];
  return {
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    },
    message: {
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          progressToken: 'p',
          [`${prefix}/protocolVersion`]: '2026-07-28',
          [`${prefix}/clientInfo`]: { name: 'raw', version: '1' },
          [`${prefix}/clientCapabilities`]: {},
        },
      },
    },
  };
}

export const modernCall = (name: string, args: Record<string, unknown>) =>
  modernRequest('tools/call', { name, arguments: args });

/** Opens a 2025-era session; its calls carry these headers. */
export async function openSession(target: RawTarget): Promise<Record<string, string>> {
  const clientInfo = { name: 'raw', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const opened = await post(target, { id: 0, method: 'initialize', params });
  const text = await textOfAnswer(opened);
  const session = opened.answer.headers['mcp-session-id'];
  if (typeof session !== 'string') throw new Error(`no session: ${opened.answer.statusCode} ${text}`);
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
  const initialized = { method: 'notifications/initialized' };
  await textOfAnswer(await post({ ...target, headers }, initialized));
  return headers;
}

export function legacyCall(name: string, args: Record<string, unknown>) {
  return { id: 1, method: 'tools/call', params: { name, arguments: args, _meta: { progressToken: 'p' } } };
}
