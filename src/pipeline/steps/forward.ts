import type { AnswerSink, Exchange } from '../../upstream/index.ts';
import type { ClearedCall } from '../call.ts';

/** Headers of the client that travel on. No credential, no cookie, nothing that names an address. */
const forwarded = [
  'accept',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'traceparent',
  'tracestate',
] as const;

/** Sends the bytes that were parsed, authorized and recorded. Only a cleared call can be sent. */
export function forward(call: ClearedCall, sink: AnswerSink): Exchange {
  const headers: Record<string, string> = {};
  for (const name of forwarded) {
    const value = call.request.headers.get(name);
    if (value !== undefined) headers[name] = value;
  }
  Object.assign(headers, meaningful(call));
  return call.server.upstream.exchange(
    {
      requestId: call.requestId,
      httpMethod: call.httpMethod,
      body: call.body,
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

/** Headers that have a meaning for some requests only. Elsewhere they would be claims that nobody checked. */
function meaningful({ request, httpMethod, era, operation }: ClearedCall): Record<string, string> {
  const headers: Record<string, string> = {};
  const resumed = request.headers.get('last-event-id');
  if (httpMethod === 'GET' && resumed !== undefined) headers['last-event-id'] = resumed;
  if (era !== 'modern' || operation.kind !== 'tool') return headers;
  for (const name of request.headers.names()) {
    if (name.startsWith('mcp-param-')) headers[name] = request.headers.get(name) ?? '';
  }
  return headers;
}
