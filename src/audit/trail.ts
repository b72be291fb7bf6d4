import type { ResultHash } from './arguments-hash.ts';
import type { Captured, CapturedCall } from './capture/capture.ts';
import type { AuditEntry } from './entry.ts';
import type { AuditResult, AuditResultClass } from './results.ts';

/**
 * The audit trail as the rest of the product sees it.
 *
 * Each request to an MCP endpoint gets records that share its `request_id`: at most one `intent`, written durably before
 * the call leaves, and exactly one `outcome`. What is refused before it leaves has an outcome alone.
 */
export interface AuditTrail {
  /**
   * Writes the intent. Resolves when the record is on disk (fsync), or as `durability` and `whenStoreFails` say. Rejects when
   * it cannot be written: then the call MUST NOT leave.
   * @param about whether the call may destroy something; true unless given
   */
  intent(record: AuditRecord, about?: { readonly destructive?: boolean }): Promise<void>;
  /**
   * Writes the outcome. Never throws and need not be awaited; it is durable within the group commit. Call `flush()` to
   * wait for everything written so far.
   */
  outcome(record: AuditRecord): void;
  /** Something that is not a call: sign-in, registration, consent, token, reload, start, stop. */
  event(event: AuditEvent): void;
  /**
   * What a call's records say of its arguments: nothing but `call.capture` of them. Gives a promise only where they are encrypted;
   * it rejects when that fails, and then the call MUST NOT leave.
   */
  capture(call: CapturedCall): Captured | Promise<Captured>;
  /** Of the bytes of an answer, as they are sent on. Keyed as the arguments are, and never equal to their hash. */
  hashResult(organization: string | null): ResultHash;
  /** Names a token that has no `jti`: the same for the same token, and of no use to whoever reads it. */
  reference(token: string): string;
  /**
   * Calls `listener` with each entry once it is durable, in the order of the chain. A listener must be quick; what it
   * throws is logged and harms nobody.
   * @returns ends the subscription
   */
  subscribe(listener: (entry: AuditEntry) => void): () => void;
  /** False when the store refuses writes (full, read-only, locked for good): calls that destroy are refused then. */
  healthy(): boolean;
  /**
   * For whoever is about to answer without an intent on disk: resolves when what was written so far is as durable as `durability`
   * says, and at once when the store fails. Bounded; never rejects.
   */
  settled(): Promise<void>;
  flush(): Promise<void>;
  /** Flushes and releases the store. */
  close(): Promise<void>;
}

/** The guide's nine fields by its own names, then what a responder asks for first. Absent values are null. */
interface CallFields {
  /** ISO 8601 UTC with milliseconds: when the first byte was seen. */
  readonly timestamp: string;
  readonly request_id: string;
  readonly client_id: string | null;
  readonly subject: string | null;
  readonly tool_name: string | null;
  /** Of the arguments, keyed unless configured otherwise; null where there are none. */
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

/** What a control that is only observed would have refused. */
export interface WouldDeny {
  /** `policy`, `limits`, `pins`, … */
  readonly layer: string;
  /** A RefusalCode. */
  readonly reason: string;
  readonly rule: string | null;
}

/** The rest of the superset. Whoever knows one sets it; absent is null. */
export interface CallDetails {
  // ids
  readonly trace_id?: string | null;
  readonly span_id?: string | null;
  readonly parent_span_id?: string | null;
  /** The JSON-RPC id as JSON: `7` or `"a"`. */
  readonly jsonrpc_id?: string | null;
  readonly approval_id?: string | null;
  // who
  readonly client_name?: string | null;
  /** How the client came to be known: `configured`, `metadata`, `dynamic`, `enterprise`. */
  readonly registration?: string | null;
  /** `bearer`, `dpop`, `mtls`, `static-key`. */
  readonly auth_method?: string | null;
  /** Keyed reference to a token without `jti`. */
  readonly token_ref?: string | null;
  readonly token_audience?: string | null;
  /** RFC 3339. */
  readonly token_expires_at?: string | null;
  readonly grant_id?: string | null;
  /** RFC 3339: when the person signed in. */
  readonly auth_time?: string | null;
  readonly acr?: string | null;
  /** Who acts for the subject, nearest first (RFC 8693 `act`). */
  readonly actor?: readonly string[];
  readonly principal_type?: 'user' | 'service' | 'static-key' | null;
  // where
  readonly user_agent?: string | null;
  /** Name and version of the server behind, as it states them. */
  readonly upstream?: string | null;
  // what
  /** Of the tool's definition that the model was shown. */
  readonly tool_def_hash?: string | null;
  /** `readOnly`, `destructive`, or as the policy grades it. */
  readonly risk?: string | null;
  readonly arguments_bytes?: number | null;
  /** What was kept of the arguments: `none`, `hash`, `redacted`, `encrypted`. */
  readonly capture?: string | null;
  /** The arguments as captured: JSON with what is hidden replaced, or a JWE. */
  readonly arguments?: string | null;
  /** How often the same call came within the loop breaker's window. */
  readonly loop_count?: number | null;
  // decision
  readonly policy_hash?: string | null;
  readonly limit_layer?: string | null;
  readonly limit_max?: number | null;
  readonly limit_remaining?: number | null;
  readonly retry_after_ms?: number | null;
  readonly approver?: string | null;
  readonly approval_channel?: string | null;
  readonly approval_ms?: number | null;
  readonly approval_digest?: string | null;
  /** What observe mode would have refused. */
  readonly would_deny?: readonly WouldDeny[];
  // outcome
  readonly jsonrpc_error_code?: number | null;
  /** The tool's own `isError`. */
  readonly is_error?: boolean | null;
  readonly latency_gateway_ms?: number | null;
  readonly latency_upstream_ms?: number | null;
  readonly result_bytes?: number | null;
  readonly result_hash?: string | null;
  /** How many values were taken out of the captured arguments. */
  readonly redactions?: number | null;
}

export interface AuditRecord extends CallFields, CallDetails {}

export interface AuditEvent {
  readonly timestamp: string;
  /** Dotted name: `token.issued`, `signin.failed`, `config.reloaded`, `gateway.started`. */
  readonly event: string;
  readonly client_id?: string | null;
  readonly subject?: string | null;
  readonly address?: string | null;
  /** The call that it belongs to. */
  readonly request_id?: string | null;
  readonly server?: string | null;
  readonly tool_name?: string | null;
  readonly trace_id?: string | null;
  /** Flat, bounded, free of secrets. */
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
}

/** What the trail itself adds to each entry. */
export interface EntryFields {
  /** Of the form of the entry; see schema/audit-record.schema.json. */
  readonly schema_version: number;
  readonly phase: 'intent' | 'outcome' | 'event';
  /** UUID version 7, unique to the entry. */
  readonly event_id: string;
  /** RFC 3339: when the trail took the entry. Of an outcome: when the call had ended. */
  readonly received_at: string;
  /** The gateway process: host and process id. */
  readonly instance: string;
}

/** Nothing is absent once it is read: null, or an empty list or object. */
type Stored<T> = { readonly [K in keyof T]-?: StoredValue<T[K]> };
type StoredValue<V> = undefined extends V
  ? Exclude<V, undefined> extends readonly unknown[] | Readonly<Record<string, unknown>>
    ? Exclude<V, undefined>
    : Exclude<V, undefined> | null
  : V;

/** A call's entry as it is kept. */
export interface CallEntry extends Stored<AuditRecord>, EntryFields {
  readonly phase: 'intent' | 'outcome';
  readonly result_class: AuditResultClass | null;
}

/** An event's entry as it is kept. */
export interface EventEntry extends Stored<AuditEvent>, EntryFields {
  readonly phase: 'event';
}
