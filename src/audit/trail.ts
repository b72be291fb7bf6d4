/**
 * The audit trail as the rest of the product sees it.
 *
 * Each request to an MCP endpoint gets records that share its `request_id`: at most one `intent`, written durably before
 * the call leaves, and exactly one `outcome`. What is refused before it leaves has an outcome alone.
 */
export interface AuditTrail {
  /**
   * Writes the intent. Resolves when the record is on disk (fsync). Rejects when it cannot be written: then the call
   * MUST NOT leave.
   */
  intent(record: AuditRecord): Promise<void>;
  /**
   * Writes the outcome. Never throws and need not be awaited; it is durable within the group commit. Call `flush()` to
   * wait for everything written so far.
   */
  outcome(record: AuditRecord): void;
  /** Something that is not a call: sign-in, registration, consent, token, reload, start, stop. */
  event(event: AuditEvent): void;
  /** False when the store refuses writes (full, read-only, locked for good): calls that destroy are refused then. */
  healthy(): boolean;
  flush(): Promise<void>;
  /** Flushes and releases the store. */
  close(): Promise<void>;
}

export const auditResults = [
  'success',
  'denied_auth',
  'denied_rate',
  'denied_confirmation',
  'error',
] as const;
export type AuditResult = (typeof auditResults)[number];

/** The guide's nine fields by its own names, then what a responder asks for next. Absent values are null. */
export interface AuditRecord {
  /** ISO 8601 UTC with milliseconds: when the first byte was seen. */
  readonly timestamp: string;
  readonly request_id: string;
  readonly client_id: string | null;
  readonly subject: string | null;
  readonly tool_name: string | null;
  /** `sha256:<hex>` over the RFC 8785 form of the arguments; null where there are none. */
  readonly arguments_hash: string | null;
  /** As the token states them. */
  readonly scopes: readonly string[];
  /** Null on an intent. */
  readonly result: AuditResult | null;
  /** From first byte to end of answer; null on an intent. */
  readonly latency_ms: number | null;

  /** A RefusalCode, or `ok`, `tool_error`, `rpc_error`, `cancelled`; null on an intent. */
  readonly reason: string | null;
  /** Private detail of a refusal or fault. Bounded to 500 characters by the trail. */
  readonly detail: string | null;
  readonly server: string;
  /** JSON-RPC method, or the HTTP method for GET and DELETE; null when the message could not be read. */
  readonly method: string | null;
  /** Resource URI or prompt name where the call names one (bounded). */
  readonly target: string | null;
  readonly issuer: string | null;
  readonly organization: string | null;
  /** The token's `jti`. */
  readonly token_id: string | null;
  readonly protocol_version: string | null;
  /** Rule that decided, such as `tools[2]` or `default`. */
  readonly rule: string | null;
  readonly scopes_required: readonly string[];
  readonly http_status: number | null;
  readonly address: string | null;
}

export interface AuditEvent {
  readonly timestamp: string;
  /** Dotted name: `token.issued`, `signin.failed`, `config.reloaded`, `gateway.started`. */
  readonly event: string;
  readonly client_id?: string | null;
  readonly subject?: string | null;
  readonly address?: string | null;
  /** Flat, bounded, free of secrets. */
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
}
