import { randomUUID } from 'node:crypto';
import { isRefusal } from '../../../src/base/index.ts';
import { type JsonObject, parseMessage } from '../../../src/protocol/index.ts';
import type { Answer } from './authorization.ts';
import { type Caller, callerOf, type Presented } from './bearer.ts';
import type { FaultName, Faults } from './faults.ts';
import type { Issuer } from './issuer.ts';
import type { Journal } from './journal.ts';
import { type Limits, retryAfter } from './limits.ts';
import type { Toolbox } from './tools.ts';

export interface EndpointRequest extends Presented {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** Origin that the challenge names. */
  readonly origin: string;
}

export interface EndpointParts {
  readonly issuer: Issuer;
  readonly limits: Limits;
  readonly tools: Toolbox;
  readonly journal: Journal;
  readonly faults: Faults;
}

const clientCeiling = { burst: 200, perSecond: 5 };
const writeCeiling = { burst: 10, perSecond: 2 };
const badTokenCeiling = { burst: 120, perSecond: 20 };
const modernRevision = '2026-07-28';
const legacyRevisions = ['2025-11-25', '2025-06-18', '2025-03-26'];

interface Call {
  readonly id: string | number | null;
  readonly method: string;
  readonly params: JsonObject;
}

/** The MCP endpoint: bearer, message, limits, method. */
export function createEndpoint(parts: EndpointParts) {
  const { issuer, journal, faults } = parts;
  const sessions = new Map<string, string>();
  return async (request: EndpointRequest): Promise<Answer> => {
    const requestId = randomUUID();
    const isInner = faults.has('internal-header') && request.headers['x-forwarded-user'] !== undefined;
    const verdict = isInner ? insider : await callerOf(request, issuer, faults);
    const peeked = peek(request.body);
    const caller = typeof verdict === 'object' ? verdict : null;
    const answer = await serve(request, { ...parts, sessions, verdict, peeked });
    journal.write({
      request_id: requestId,
      client_id: caller?.clientId ?? null,
      subject: caller?.subject ?? null,
      tool_name: toolNameOf(peeked),
      result: resultOf(answer.status),
      http_status: answer.status,
      authorization: request.headers['authorization'],
    });
    return {
      ...answer,
      headers: { 'cache-control': 'no-store', 'x-request-id': requestId, ...answer.headers },
    };
  };
}

const insider: Caller = { subject: 'admin', clientId: 'proxy', scopes: ['mcp:tools:admin'], tokenId: '-' };

interface Passage extends EndpointParts {
  readonly sessions: Map<string, string>;
  readonly verdict: Awaited<ReturnType<typeof callerOf>>;
  readonly peeked: unknown;
}

async function serve(request: EndpointRequest, passage: Passage): Promise<Answer> {
  const { verdict, peeked, faults } = passage;
  if (verdict === 'ambiguous') return problem(400, -32600, 'Authorization came more than once');
  if (typeof verdict === 'string' && !isOpen(peeked, faults)) return turnAway(request, passage);
  const caller = typeof verdict === 'object' ? verdict : null;
  if (request.method !== 'POST') return bodiless(request, caller, passage);
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    return problem(415, -32600, 'The body must be application/json');
  const call = read(request.body, faults);
  if (Array.isArray(call)) return batch(call, caller, passage);
  if ('status' in call) return call;
  return dispatch(call, { request, caller, passage });
}

function isOpen(peeked: unknown, faults: Faults): boolean {
  const method = (peeked as { method?: unknown } | null)?.method;
  const open: readonly (readonly [FaultName, string])[] = [
    ['list-open', 'tools/list'],
    ['call-open', 'tools/call'],
  ];
  return open.some(([fault, name]) => faults.has(fault) && method === name);
}

function turnAway(request: EndpointRequest, { limits, verdict, faults }: Passage): Answer {
  if ((verdict === 'invalid' || verdict === 'crashed') && !faults.has('bad-tokens-unlimited')) {
    const wait = limits.take([{ key: 'bad tokens', ceiling: badTokenCeiling }]);
    if (wait > 0) return limited(wait, faults);
  }
  if (verdict === 'crashed') return problem(500, -32603, 'Internal error');
  const trace = faults.has('stack-traces') ? { stack: new Error('token').stack ?? '' } : {};
  const refused = problem(401, -31401, 'Unauthorized', trace);
  if (faults.has('no-challenge')) return refused;
  const path = '/.well-known/oauth-protected-resource';
  const metadata = faults.has('relative-metadata')
    ? path
    : `${request.origin}${path}${faults.has('one-metadata-path') ? '' : '/mcp'}`;
  const scope = faults.has('challenge-without-scope') ? '' : ', scope="mcp:tools:read"';
  const error = verdict === 'invalid' ? ', error="invalid_token"' : '';
  return {
    ...refused,
    headers: { 'www-authenticate': `Bearer resource_metadata="${metadata}"${scope}${error}` },
  };
}

/** GET and DELETE belong to sessions. */
function bodiless(request: EndpointRequest, caller: Caller | null, passage: Passage): Answer {
  if (request.method !== 'GET' && request.method !== 'DELETE')
    return problem(405, -32600, 'Method not allowed');
  const session = sessionProblem(request, caller, passage);
  if (session) return session;
  if (request.method === 'DELETE') passage.sessions.delete(request.headers['mcp-session-id'] ?? '');
  return request.method === 'DELETE' ? { status: 200 } : problem(405, -32600, 'No stream is offered');
}

function read(body: Buffer, faults: Faults): Call | Call[] | Answer {
  if (faults.has('batches') && body[0] === 0x5b) return JSON.parse(body.toString()) as Call[];
  if (faults.has('duplicate-keys')) {
    const lenient = lenientCall(body);
    if (lenient) return lenient;
  }
  const message = parseMessage(body, 64);
  if (isRefusal(message)) {
    const crashes = faults.has('depth-crashes') && message.message.includes('nested');
    return crashes ? problem(500, -32603, 'Internal error') : problem(400, -32700, message.message);
  }
  if (message.kind === 'response') return { status: 202 };
  const { method, params } = message;
  return { id: message.kind === 'request' ? message.id : null, method, params };
}

/** The last of two equal keys wins, as in most parsers. Nothing else is let through. */
function lenientCall(body: Buffer): Call | null {
  const strict = parseMessage(body, 64);
  if (!isRefusal(strict) || !/twice|more than once|duplicate/i.test(strict.message)) return null;
  const parsed = JSON.parse(body.toString()) as { id?: number; method?: string; params?: JsonObject };
  return { id: parsed.id ?? null, method: String(parsed.method), params: parsed.params ?? {} };
}

async function batch(calls: readonly Call[], caller: Caller | null, passage: Passage): Promise<Answer> {
  const bodies = calls.map((call) => perform(call, { caller, passage, modern: false }).body);
  return { status: 200, body: bodies };
}

interface Arrived {
  readonly request: EndpointRequest;
  readonly caller: Caller | null;
  readonly passage: Passage;
}

function dispatch(call: Call, { request, caller, passage }: Arrived): Answer {
  const { faults } = passage;
  const version = request.headers['mcp-protocol-version'];
  const known = version === undefined || version === modernRevision || legacyRevisions.includes(version);
  if (!known && !faults.has('any-version')) {
    return problem(400, -32022, 'Unsupported protocol version', {
      supported: [modernRevision],
      requested: version,
    });
  }
  const modern = version === modernRevision;
  const disagreement = faults.has('headers-unchecked') ? null : mirrored(call, request, modern);
  if (disagreement) return disagreement;
  const session = modern ? null : sessionProblem(request, caller, passage);
  if (session && call.method !== 'initialize') return session;
  return perform(call, { caller, passage, modern });
}

function mirrored(call: Call, { headers }: EndpointRequest, modern: boolean): Answer | null {
  const method = headers['mcp-method'];
  const name = headers['mcp-name'];
  const own = call.params['name'] ?? call.params['uri'];
  const isNameless = call.method === 'tools/call' && name === undefined;
  const isMissing = modern && call.id !== null && (method === undefined || isNameless);
  const meta = call.params['_meta'] as JsonObject | undefined;
  const declared = meta?.['io.modelcontextprotocol/protocolVersion'];
  const differs =
    (method !== undefined && method !== call.method) ||
    (name !== undefined && typeof own === 'string' && name !== own) ||
    (modern && declared !== undefined && declared !== headers['mcp-protocol-version']);
  return isMissing || differs ? problem(400, -32020, 'Header mismatch') : null;
}

/** Sessions of the older revisions belong to the caller that opened them. */
function sessionProblem(
  { headers }: EndpointRequest,
  caller: Caller | null,
  { sessions, faults }: Passage,
): Answer | null {
  const id = headers['mcp-session-id'];
  if (id === undefined) return null;
  const owner = sessions.get(id);
  const isOwn = owner !== undefined && (owner === caller?.subject || faults.has('session-of-another'));
  return isOwn ? null : problem(404, -32600, 'Session not found');
}

interface Performance {
  readonly caller: Caller | null;
  readonly passage: Passage;
  readonly modern: boolean;
}

function perform(call: Call, { caller, passage, modern }: Performance): Answer {
  const wait = charge(call, caller, passage);
  if (wait > 0) return limited(wait, passage.faults, call.id);
  if (call.id === null) return { status: 202 };
  const result = (value: JsonObject): Answer => ({
    status: 200,
    body: { jsonrpc: '2.0', id: call.id, result: value },
  });
  switch (call.method) {
    case 'initialize':
      return {
        ...result(initialized(passage.faults)),
        headers: { 'mcp-session-id': openSession(caller, passage) },
      };
    case 'server/discover':
      return result(discovered(passage.faults));
    case 'ping':
      return result({});
    case 'tools/list':
      return result(passage.tools.list(caller, modern));
    case 'tools/call':
      return called(call, { caller, passage, modern });
    default:
      return problem(modern ? 404 : 200, -32601, 'Method not found', undefined, call.id);
  }
}

function charge({ method, params }: Call, caller: Caller | null, { limits, faults }: Passage): number {
  if (faults.has('no-limit') || !caller) return 0;
  const owner = faults.has('refresh-resets') ? caller.tokenId : caller.subject;
  const demands = [{ key: `client ${owner}`, ceiling: clientCeiling }];
  const isWrite =
    method === 'tools/call' && params['name'] !== 'list_notes' && params['name'] !== 'read_note';
  if (isWrite && !faults.has('no-tool-limit')) demands.push({ key: `write ${owner}`, ceiling: writeCeiling });
  return limits.take(demands);
}

function called(call: Call, { caller, passage, modern }: Performance): Answer {
  const outcome = passage.tools.call(caller, call.params, modern);
  if (outcome.kind === 'result')
    return { status: 200, body: { jsonrpc: '2.0', id: call.id, result: outcome.result } };
  if (outcome.kind === 'error')
    return problem(outcome.status, outcome.code, outcome.message, undefined, call.id);
  const refused = problem(403, -31403, 'Forbidden', undefined, call.id);
  if (passage.faults.has('scope-refusal-bare')) return refused;
  const metadata = `${passage.issuer.url}/.well-known/oauth-protected-resource/mcp`;
  const scope = [...(caller?.scopes ?? []), outcome.scope].join(' ');
  const challenge = `Bearer error="insufficient_scope", scope="${scope}", resource_metadata="${metadata}"`;
  return { ...refused, headers: { 'www-authenticate': challenge } };
}

let counted = 1000;

function openSession(caller: Caller | null, { sessions, faults }: Passage): string {
  counted += 1;
  const id = faults.has('session-guessable') ? `session-${counted}` : randomUUID();
  sessions.set(id, caller?.subject ?? '');
  return id;
}

function serverInfo(faults: Faults): JsonObject {
  return faults.has('old-banner')
    ? { name: '@modelcontextprotocol/sdk', version: '1.20.0' }
    : { name: 'notes', version: '1.0.0' };
}

function initialized(faults: Faults): JsonObject {
  return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: serverInfo(faults) };
}

function discovered(faults: Faults): JsonObject {
  return {
    resultType: 'complete',
    supportedVersions: [modernRevision],
    capabilities: { tools: {} },
    ttlMs: 1000,
    cacheScope: 'private',
    _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo(faults) },
  };
}

function limited(waitMs: number, faults: Faults, id: Call['id'] = null): Answer {
  const answer = problem(429, -31429, 'Too many requests', { retryAfterMs: Math.ceil(waitMs) }, id);
  return { ...answer, headers: { 'retry-after': retryAfter(waitMs, faults) } };
}

function problem(
  status: number,
  code: number,
  message: string,
  data?: unknown,
  id: Call['id'] = null,
): Answer {
  const error = { code, message, ...(data === undefined ? {} : { data }) };
  return { status, body: { jsonrpc: '2.0', id, error } };
}

function peek(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}

function toolNameOf(peeked: unknown): string | null {
  const call = peeked as { method?: unknown; params?: { name?: unknown } } | null;
  return call?.method === 'tools/call' && typeof call.params?.name === 'string' ? call.params.name : null;
}

function resultOf(status: number) {
  if (status === 401 || status === 403) return 'denied_auth';
  if (status === 429) return 'denied_rate';
  return status < 400 ? 'success' : 'error';
}
