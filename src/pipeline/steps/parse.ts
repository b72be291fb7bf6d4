import { isRefusal, type Refusal, refuse } from '../../base/index.ts';
import { checkMirroredHeaders, type Dialect, dialectOf, parseMessage } from '../../protocol/index.ts';
import type { ParsedCall, ReceivedCall } from '../call.ts';
import { hasOddArguments, operationOf } from '../operation.ts';
import type { RequestHeaders } from '../request.ts';
import type { Runtime } from '../runtime.ts';

/** Headers that decide something: twice is two readings. */
const single = [
  'authorization',
  'host',
  'content-length',
  'content-type',
  'origin',
  'mcp-protocol-version',
  'mcp-session-id',
  'mcp-method',
  'mcp-name',
  'last-event-id',
] as const;

/** How much of a body may be read. */
export interface Reading {
  readonly maxBytes: number;
  readonly take: (bytes: number) => Refusal | null;
}

/** HTTP request → one message with one meaning. */
export async function parse(
  call: ReceivedCall,
  runtime: Runtime,
  reading: Reading,
): Promise<ParsedCall | Refusal> {
  const { headers, httpMethod } = call.request;
  for (const name of single) {
    if (headers.isRepeated(name))
      return refuse('malformed_request', `The ${name} header came more than once`);
  }
  for (const name of headers.names()) {
    if (name.startsWith('mcp-param-') && headers.isRepeated(name)) {
      return refuse('header_mismatch', `Header mismatch: a parameter header came more than once`);
    }
  }
  if (httpMethod === 'POST') return parsePost(call, runtime.http.maxJsonDepth, reading);
  if (httpMethod === 'GET' || httpMethod === 'DELETE') return parseBodiless(call, httpMethod);
  return refuse('method_not_allowed', 'The MCP endpoint takes POST, GET and DELETE');
}

/** 2026-07-28: servers ask in their results, clients answer in the next request. A response could only be meant for another's question. */
const unasked = 'This revision takes requests and notifications only';

async function parsePost(
  call: ReceivedCall,
  maxDepth: number,
  reading: Reading,
): Promise<ParsedCall | Refusal> {
  const { headers } = call.request;
  const media = checkMediaType(headers);
  if (media) return media;
  const body = await call.request.body(reading.maxBytes, reading.take);
  if (isRefusal(body)) return body;
  const message = parseMessage(body, maxDepth);
  if (isRefusal(message)) return message;
  // Known from here on, also to the record of a refusal.
  const read = Object.assign(call, {
    httpMethod: 'POST' as const,
    body,
    message,
    operation: operationOf(message),
  });
  if (hasOddArguments(message)) return refuse('malformed_message', '"params.arguments" must be an object');
  const version = headers.get('mcp-protocol-version');
  const dialect = dialectOf(version, message);
  if (isRefusal(dialect)) return dialect;
  if (message.kind === 'response' && dialect.era === 'modern') return refuse('malformed_message', unasked);
  const mirrored = { method: headers.get('mcp-method'), name: headers.get('mcp-name'), version };
  return checkMirroredHeaders(mirrored, message, dialect.era) ?? Object.assign(read, dialect);
}

function parseBodiless(call: ReceivedCall, httpMethod: 'GET' | 'DELETE'): ParsedCall | Refusal {
  const { headers } = call.request;
  const dialect = dialectOf(headers.get('mcp-protocol-version'), null);
  if (isRefusal(dialect)) return dialect;
  const refusal = checkBodiless(headers, httpMethod, dialect);
  if (refusal) return refusal;
  const operation = operationOf(null);
  return Object.assign(call, { httpMethod, body: null, message: null, ...dialect, operation });
}

/** GET and DELETE belong to sessions, which only legacy revisions have (2025-11-25 basic/transports). */
function checkBodiless(
  headers: RequestHeaders,
  httpMethod: 'GET' | 'DELETE',
  dialect: Dialect,
): Refusal | null {
  if (dialect.era === 'modern') return refuse('method_not_allowed', 'This revision takes POST only');
  if (Number(headers.get('content-length') ?? 0) !== 0 || headers.get('transfer-encoding') !== undefined) {
    return refuse('malformed_request', `A ${httpMethod} request has no body`);
  }
  if (httpMethod === 'GET' && !/text\/event-stream|\*\/\*/.test(headers.get('accept') ?? '')) {
    return refuse('not_acceptable', 'GET opens an event stream: accept text/event-stream');
  }
  return null;
}

function checkMediaType(headers: RequestHeaders): Refusal | null {
  const type = headers.get('content-type')?.toLowerCase() ?? '';
  if (!/^application\/json[\t ]*(;[\t ]*charset=(utf-8|"utf-8")[\t ]*)?$/.test(type)) {
    return refuse('unsupported_media_type', 'The body must be application/json in UTF-8');
  }
  const encoding = headers.get('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') {
    return refuse('unsupported_media_type', 'The body must not be compressed');
  }
  return null;
}
