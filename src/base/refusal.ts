/**
 * A refusal is a value, not an exception: a step of the pipeline returns one instead of the grown call. The code is
 * stable and is the audit record's `reason`; `message` may be read by anyone; `detail` stays in the log and the record.
 */
export interface Refusal {
  readonly refused: true;
  readonly code: RefusalCode;
  /** One sentence for the caller. Tells an attacker nothing that the request did not already contain. */
  readonly message: string;
  /** For the operator alone: log and audit record. Never a token, header value or secret. */
  readonly detail?: string;
  /** Set on `scope` refusals: every scope that the next token should hold, granted ones first. */
  readonly scopes?: readonly string[];
  /** Set on limit refusals. */
  readonly limit?: LimitRefusal;
  /** Extra members of the JSON-RPC error's `data`. */
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface LimitRefusal {
  readonly layer: string;
  readonly retryAfterMs: number;
  readonly limit: number;
  readonly remaining: number;
}

/** The closed list of reasons. Documented in docs/audit.md, row by row; a test compares the two. */
export const refusalCodes = [
  // what was sent is not a message that we can read one way only
  'malformed_request', // HTTP that is ambiguous or incomplete
  'malformed_json', // not JSON, duplicate keys, too deep, not one object
  'malformed_message', // JSON, but no JSON-RPC or MCP message
  'body_too_large',
  'header_mismatch', // a mirrored header differs from the body (MCP -32020)
  'unsupported_version',
  'unsupported_media_type',
  'not_acceptable',
  'method_not_allowed', // HTTP method
  'origin_denied',
  'host_denied',
  // who calls
  'token_missing',
  'token_malformed',
  'token_signature',
  'token_expired',
  'token_not_yet_valid',
  'token_issuer',
  'token_audience',
  'token_type',
  'token_revoked',
  'token_claims',
  'token_key_ended', // a static key past its day
  'token_binding', // bound to a key or certificate that was not shown, or not bound where it must be
  'proof_invalid', // DPoP (RFC 9449)
  'proof_nonce', // the same, for want of our nonce
  'proof_unavailable', // nobody can say whether the proof was used: 503, never accepted
  'issuer_unavailable', // cannot be verified now: 503, never accepted
  // may they
  'scope_missing',
  'policy_denied',
  'policy_undecided', // a rule's condition is an error for these arguments
  'tool_quarantined', // its definition waits for a person
  'arguments_invalid', // they do not fit the tool's input schema
  'arguments_unchecked', // the schema is broken, or too costly
  'unknown_tool', // also for hidden tools: alike on purpose
  'task_unknown', // somebody else's
  'unknown_method',
  'session_unknown', // also for the session of somebody else: alike on purpose
  // the kill switch
  'stopped',
  'stops_unavailable', // nobody can say whether it is stopped: 503, never passed on
  // how often
  'limit_client',
  'limit_tool',
  'limit_organization',
  'limit_address',
  'limit_concurrency',
  'limit_loop', // the same call again and again
  'limits_unavailable', // the shared counters cannot be reached: 503
  // confirmation
  'confirmation_unavailable',
  // what lies behind us
  'upstream_unavailable',
  'upstream_timeout',
  'upstream_invalid',
  'upstream_not_connected', // the caller has no credentials of their own there
  'audit_unavailable',
  'shutting_down',
  'internal_error',
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

export function refuse(
  code: RefusalCode,
  message: string,
  more: Omit<Refusal, 'refused' | 'code' | 'message'> = {},
): Refusal {
  return { refused: true, code, message, ...more };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { refused?: unknown }).refused === true;
}
