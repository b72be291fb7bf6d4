import type { Refusal, RefusalCode } from '../base/index.ts';
import { type Challenge, formatChallenge } from '../identity/index.ts';
import { retryAfterHeader } from '../limits/index.ts';
import type { JsonObject, Message } from '../protocol/index.ts';
import type { ParsedCall, ReceivedCall } from './call.ts';

/** An HTTP answer made here, whole. */
export interface OwnAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The JSON-RPC error in it. */
  readonly rpcCode: number | null;
}

interface Shape {
  readonly status: number;
  /** JSON-RPC error code: the standard's and MCP's own where they have one, else outside of the reserved range. */
  readonly code: number;
}

const invalidRequest = -32600;
const invalidParams = -32602;
const methodNotFound = -32601;
const internalError = -32603;
/** Application-defined codes, outside -32768…-32000 that JSON-RPC and MCP reserve: -31000 minus the HTTP status. */
const own = (status: number): Shape => ({ status, code: -31000 - status });

const shapes: Readonly<Record<RefusalCode, Shape>> = {
  malformed_request: { status: 400, code: invalidRequest },
  malformed_json: { status: 400, code: -32700 },
  malformed_message: { status: 400, code: invalidRequest },
  body_too_large: { status: 413, code: invalidRequest },
  header_mismatch: { status: 400, code: -32020 },
  unsupported_version: { status: 400, code: -32022 },
  unsupported_media_type: { status: 415, code: invalidRequest },
  not_acceptable: { status: 406, code: invalidRequest },
  method_not_allowed: { status: 405, code: invalidRequest },
  origin_denied: own(403),
  host_denied: own(403),
  token_missing: own(401),
  token_malformed: own(401),
  token_signature: own(401),
  token_expired: own(401),
  token_not_yet_valid: own(401),
  token_issuer: own(401),
  token_audience: own(401),
  token_type: own(401),
  token_revoked: own(401),
  token_claims: own(401),
  token_key_ended: own(401),
  token_binding: own(401),
  proof_invalid: own(401),
  proof_nonce: own(401),
  proof_unavailable: own(503),
  issuer_unavailable: own(503),
  scope_missing: own(403),
  policy_denied: { status: 200, code: invalidParams },
  policy_undecided: { status: 200, code: invalidParams },
  // In a 200, as other errors about a tool: clients show these, and a 403 would send them to sign in again.
  tool_quarantined: { status: 200, code: own(403).code },
  arguments_invalid: { status: 200, code: invalidParams },
  arguments_unchecked: { status: 200, code: internalError },
  unknown_tool: { status: 200, code: invalidParams },
  unknown_method: { status: 404, code: methodNotFound },
  session_unknown: { status: 404, code: invalidRequest },
  task_unknown: { status: 200, code: invalidParams },
  stopped: own(403),
  stops_unavailable: own(503),
  limit_client: own(429),
  limit_tool: own(429),
  limit_organization: own(429),
  limit_address: own(429),
  limit_concurrency: own(429),
  limit_loop: own(429),
  limits_unavailable: own(503),
  confirmation_unavailable: own(403),
  upstream_unavailable: own(502),
  upstream_timeout: own(504),
  upstream_invalid: own(502),
  upstream_not_connected: own(403),
  audit_unavailable: own(503),
  shutting_down: own(503),
  internal_error: { status: 500, code: internalError },
};

/** What the model, or the person behind it, should read and act on. */
const toldToTheModel: ReadonlySet<RefusalCode> = new Set(['upstream_not_connected', 'stopped']);

/** The one place where a refusal becomes an HTTP answer: status, challenge, Retry-After, JSON-RPC error. */
export function answerTo(refusal: Refusal, call: ReceivedCall & Partial<ParsedCall>): OwnAnswer {
  if (refusal.code === 'confirmation_unavailable' && call.operation?.kind === 'tool') {
    return toolError(`${refusal.message}. It was not executed. Do not try again.`, refusal, call);
  }
  if (toldToTheModel.has(refusal.code) && call.operation?.kind === 'tool') {
    return toolError(refusal.message, refusal, call);
  }
  const { status, code } = shapeFor(refusal, call);
  const headers: Record<string, string> = { ...baseHeaders(call), 'content-type': 'application/json' };
  const challenge = challengeFor(refusal, status, call);
  if (challenge) headers['www-authenticate'] = challenge;
  if (refusal.limit) headers['retry-after'] = retryAfterHeader(refusal.limit.retryAfterMs);
  if (status === 503) headers['retry-after'] ??= '5';
  if (status === 405)
    headers['allow'] = call.request.headers.get('mcp-protocol-version') ? 'POST' : 'POST, GET, DELETE';
  const error: JsonObject = { code, message: publicMessage(refusal), data: dataOf(refusal) };
  const body = encode({ jsonrpc: '2.0', ...idOf(call.message), error });
  return { status, headers, body, rpcCode: code };
}

/** Headers of every answer: ours or passed on. */
export function baseHeaders(call: ReceivedCall): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': call.requestId,
    ...call.rateLimit,
    // RFC 9449 section 8.2: with any answer, so that the next proof has it.
    ...(call.server.dpop.nonces && { 'dpop-nonce': call.server.dpop.nonces.current() }),
  };
}

function shapeFor(refusal: Refusal, call: Partial<ParsedCall>): Shape {
  const shape = shapes[refusal.code];
  // JSON-RPC errors of the legacy era come with 200: only the modern one gives the status a meaning.
  if (refusal.code === 'unknown_method' && call.era === 'legacy' && call.message?.kind === 'request') {
    return { status: 200, code: shape.code };
  }
  // Clients show the error of a JSON-RPC answer, and not what an HTTP error came with.
  if (toldToTheModel.has(refusal.code) && call.message?.kind === 'request') {
    return { status: 200, code: shape.code };
  }
  if (refusal.code === 'malformed_message' && refusal.data?.['missing'])
    return { status: 400, code: invalidParams };
  return shape;
}

function challengeFor(refusal: Refusal, status: number, call: ReceivedCall): string | null {
  const { resourceMetadata, baseline, dpop } = call.server;
  const scheme = /^dpop /i.test(call.request.headers.get('authorization') ?? '') ? 'dpop' : 'bearer';
  const schemes = { resourceMetadata, dpop: dpop.mode, scheme } as const;
  if (status === 401) return formatChallenge({ ...schemes, scopes: baseline, ...reasonOf(refusal) });
  if (refusal.code !== 'scope_missing') return null;
  return formatChallenge({
    ...schemes,
    scopes: refusal.scopes ?? baseline,
    error: 'insufficient_scope',
    description: 'The access token lacks a scope that this call needs',
  });
}

/** RFC 6750 section 3.1: no error code when the request came without authentication. RFC 9449 section 7.1. */
function reasonOf({ code, message }: Refusal): Pick<Challenge, 'error' | 'description'> {
  switch (code) {
    case 'token_missing':
      return {};
    case 'proof_invalid':
      return { error: 'invalid_dpop_proof', description: message };
    case 'proof_nonce':
      return { error: 'use_dpop_nonce', description: message };
    default:
      return { error: 'invalid_token', description: 'The access token is not valid here' };
  }
}

/** Reasons about tokens stay in the record: which check failed is of use to an attacker only. */
const isAboutToken = (code: RefusalCode): boolean => code.startsWith('token_') && code !== 'token_missing';

/** What is wrong with the header itself is said: nothing of a token has been looked at then. */
function publicMessage({ code, message }: Refusal): string {
  return isAboutToken(code) && code !== 'token_malformed' ? 'The access token is not valid' : message;
}

function dataOf(refusal: Refusal): JsonObject {
  return {
    reason: isAboutToken(refusal.code) ? 'invalid_token' : refusal.code,
    ...(refusal.limit && {
      layer: refusal.limit.layer,
      retryAfterMs: refusal.limit.retryAfterMs,
      limit: refusal.limit.limit,
      remaining: refusal.limit.remaining,
    }),
    ...(refusal.data as JsonObject | undefined),
  };
}

/** A refusal that the model should read and pass on: a tool result, as every client can show it. */
function toolError(text: string, refusal: Refusal, call: ReceivedCall & Partial<ParsedCall>): OwnAnswer {
  const result: JsonObject = {
    ...(call.era === 'modern' ? { resultType: 'complete' } : {}),
    content: [{ type: 'text', text }],
    isError: true,
    _meta: { 'portcullis/reason': refusal.code },
  };
  return {
    status: 200,
    headers: { ...baseHeaders(call), 'content-type': 'application/json' },
    body: encode({ jsonrpc: '2.0', ...idOf(call.message), result }),
    rpcCode: null,
  };
}

function idOf(message: Message | null | undefined): JsonObject {
  return message && message.kind === 'request' ? { id: message.id } : { id: null };
}

function encode(value: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(value));
}
