import { editMeta, editObject, isObject, rawMember } from '../../protocol/index.ts';
import { type CallTrace, contextKeys, type Onward } from '../../telemetry/index.ts';
import type { AnswerSink, Exchange } from '../../upstream/index.ts';
import type { ClearedCall } from '../call.ts';

/** Headers of the client that travel on. No credential, no cookie, nothing that names an address. */
const forwarded = ['accept', 'mcp-protocol-version', 'mcp-method', 'mcp-name'] as const;

/**
 * Sends the bytes that were parsed, authorized and recorded; where calls are traced, with the upstream's parent span in `_meta`.
 * Only a cleared call can be sent.
 */
export function forward(call: ClearedCall, sink: AnswerSink, { onward }: CallTrace): Exchange {
  const headers: Record<string, string> = {};
  for (const name of forwarded) {
    const value = call.request.headers.get(name);
    if (value !== undefined) headers[name] = value;
  }
  Object.assign(headers, meaningful(call), onward.headers);
  return call.server.upstream.exchange(
    {
      requestId: call.requestId,
      httpMethod: call.httpMethod,
      body: bodyFor(call, onward),
      message: call.message,
      era: call.era,
      revision: call.revision,
      session: call.session,
      principalKey: call.principal.key,
      principal: call.principal,
      ...(call.callerToken && { callerToken: call.callerToken }),
      headers,
    },
    sink,
  );
}

/** As it came, but for the three members of `params._meta` that MCP keeps for trace context. */
function bodyFor({ body, message }: ClearedCall, { headers, replacesMeta }: Onward): Buffer | null {
  if (!replacesMeta || body === null || message === null || message.kind === 'response') return body;
  const { _meta: meta } = message.params;
  if (meta !== undefined && !isObject(meta)) return body; // no carrier, and not ours to mend
  const text = body.toString();
  const params = rawMember(text, 'params');
  if (params === null) return body;
  const edit = {
    remove: (key: string) => contextKeys.includes(key),
    set: Object.entries(headers).map(([key, value]) => [key, JSON.stringify(value)] as const),
  };
  return Buffer.from(editObject(text, { set: [['params', editMeta(params, edit)]] }));
}

/** Headers that have a meaning for some requests only. Elsewhere they would be claims that nobody checked. */
function meaningful({ request, lastEvent, era, operation }: ClearedCall): Record<string, string> {
  const headers: Record<string, string> = {};
  if (lastEvent !== null) headers['last-event-id'] = lastEvent;
  if (era !== 'modern' || operation.kind !== 'tool') return headers;
  for (const name of request.headers.names()) {
    if (name.startsWith('mcp-param-')) headers[name] = request.headers.get(name) ?? '';
  }
  return headers;
}
