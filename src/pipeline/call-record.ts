import type { AuditRecord, AuditResult, CallDetails, Captured, ResultHash } from '../audit/index.ts';
import { messageOf, type Refusal, timestamp } from '../base/index.ts';
import { anonymousIssuer, type Principal, staticKeyIssuer } from '../identity/index.ts';
import type { Decision, ToolCapture } from '../policy/index.ts';
import { isObject } from '../protocol/index.ts';
import type { CallTrace } from '../telemetry/index.ts';
import type { ClearedCall, ReceivedCall } from './call.ts';
import { captureOfRefused, leastCapture, nothingCaptured } from './capture.ts';
import { endedCall } from './ended-call.ts';
import type { Runtime } from './runtime.ts';

/** How a call ended, in the words of the record. */
export interface Ending {
  readonly result: AuditResult;
  readonly reason: string;
  readonly detail: string | null;
  readonly status: number | null;
  /** Of a JSON-RPC error. */
  readonly rpcCode?: number | null;
  /** The tool's own `isError`. */
  readonly isError?: boolean | null;
  readonly resultBytes?: number | null;
  readonly resultHash?: string | null;
}

/** What has become known of the call so far. */
export type KnownCall = ReceivedCall &
  Partial<Omit<ClearedCall, 'decision'>> & { readonly decision?: Decision };

/** The audit records of one call: opened at its first byte, closed exactly once. */
export class CallRecord {
  readonly #call: KnownCall;
  readonly #runtime: Runtime;
  /** Made once: intent and outcome say the same. */
  #captured: Captured | null = null;
  /** What the intent said: the outcome says the same, and how the call ended. */
  #intended: AuditRecord | null = null;
  #closed = false;
  #onClose: (() => void) | null = null;
  /** Monotonic: when the call left for the server behind. */
  #leftAt: number | null = null;
  #trace: CallTrace | null = null;

  constructor(call: ReceivedCall, runtime: Runtime) {
    this.#call = call;
    this.#runtime = runtime;
  }

  /** Resolves when the intent is on disk. Rejects when it cannot be written. */
  async intent(): Promise<void> {
    const { audit, clock, telemetry } = this.#runtime;
    const destructive = this.#call.decision?.allow ? this.#call.decision.destructive : true;
    const from = clock.monotonic();
    let took: number | null = null;
    const capturing = this.#capture(this.#call.capture);
    if (capturing) await capturing;
    try {
      this.#intended = this.#record();
      await audit.intent(this.#intended, { destructive });
      took = clock.monotonic() - from;
    } finally {
      telemetry.intentTook?.(took);
    }
  }

  /** Before the outcome of a call that did not leave. Never rejects: what cannot be encrypted is not kept. */
  async captureRefused(refusal: Refusal): Promise<void> {
    if (this.#captured || this.#call.operation?.kind !== 'tool') return;
    try {
      await this.#capture(captureOfRefused(this.#call, refusal));
    } catch (error) {
      this.#runtime.log.error(
        { detail: messageOf(error) },
        'the arguments of a refused call cannot be captured',
      );
      await this.#capture(leastCapture(this.#call));
    }
  }

  /** Of the answer's bytes; null where the record has none. */
  resultHash(): ResultHash | null {
    const kind = this.#call.operation?.kind;
    const told =
      kind === 'resource' || kind === 'prompt' || (kind === 'tool' && this.#captured?.capture !== 'none');
    return told ? this.#runtime.audit.hashResult(this.#call.principal?.organization ?? null) : null;
  }

  /** The call's place in a trace. To be asked for when the message is known: from then on it stays the same. */
  get trace(): CallTrace {
    if (this.#trace) return this.#trace;
    const { request, message } = this.#call;
    const isCall = message !== undefined && message !== null && message.kind !== 'response';
    const meta = isCall ? message.params['_meta'] : null;
    this.#trace = this.#runtime.telemetry.begin({
      header: (name) => request.headers.get(name),
      isCall,
      meta: isObject(meta) ? meta : null,
    });
    return this.#trace;
  }

  /** What the call holds until it has ended. */
  releaseAtClose(release: () => void): void {
    this.#onClose = release;
  }

  /** The call leaves now. */
  leaves(): void {
    this.#leftAt = this.#runtime.clock.monotonic();
  }

  close(ending: Ending): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose?.();
    const record = {
      ...(this.#intended ?? this.#record()),
      ...this.#call.noted,
      ...this.#endDetails(ending),
    };
    this.#runtime.audit.outcome(record);
    const { ended } = this.#runtime.telemetry;
    ended?.(endedCall({ call: this.#call, record, ending, trace: this.trace }));
  }

  /**
   * Of a call that did not leave, so that perhaps no intent tells of it: resolves when the outcome is on disk, or at once when the store
   * fails. Until then the call is in memory, and holds what it holds.
   */
  async closeOnDisk(ending: Ending): Promise<void> {
    const release = this.#onClose;
    this.#onClose = null;
    this.close(ending);
    await this.#runtime.audit.settled();
    release?.();
  }

  /** Without an end. */
  #record(): AuditRecord {
    const { principal, decision, server, request, message } = this.#call;
    const operation = this.#call.operation;
    return {
      ...callerDetails(this.#call, this.#runtime),
      trace_id: this.trace.traceId,
      span_id: this.trace.spanId,
      parent_span_id: this.trace.parentSpanId,
      ...this.#call.noted,
      timestamp: timestamp(this.#call.receivedAt),
      request_id: this.#call.requestId,
      client_id: principal?.clientId ?? null,
      subject: principal?.subject ?? null,
      tool_name: operation?.kind === 'tool' ? operation.name : null,
      ...(this.#captured ?? nothingCaptured),
      scopes: principal?.scopes ?? [],
      result: null,
      latency_ms: null,
      reason: null,
      detail: null,
      server: server.name,
      method: message && message.kind !== 'response' ? message.method : request.httpMethod,
      target: targetOf(operation),
      issuer: principal?.issuer ?? null,
      organization: principal?.organization ?? null,
      token_id: principal && hasTokenId(principal) ? principal.tokenId : null,
      protocol_version: this.#call.revision ?? null,
      rule: decision?.rule ?? null,
      policy_hash: decision ? server.policy.hash : null,
      scopes_required: (decision?.allow ? decision.scopes : decision?.required) ?? [],
      http_status: null,
      address: request.address,
    };
  }

  #endDetails(ending: Ending): Partial<AuditRecord> {
    const whole = this.#latency(this.#call.startedAt);
    const upstream = this.#leftAt === null ? null : this.#latency(this.#leftAt);
    const gateway = whole - (upstream ?? 0);
    return {
      result: ending.result,
      reason: ending.reason,
      detail: ending.detail,
      http_status: ending.status,
      latency_ms: whole,
      jsonrpc_error_code: ending.rpcCode ?? null,
      is_error: ending.isError ?? null,
      latency_gateway_ms: Math.max(0, gateway),
      latency_upstream_ms: upstream,
      result_bytes: ending.resultBytes ?? null,
      result_hash: ending.resultHash ?? null,
    };
  }

  #latency(since: number): number {
    return Math.max(0, this.#runtime.clock.monotonic() - since);
  }

  /** @returns a promise where there is something to wait for */
  #capture(asked: ToolCapture | undefined): Promise<void> | null {
    const { operation, principal, requestId, server } = this.#call;
    const capture = asked ?? leastCapture(this.#call);
    if (operation?.kind !== 'tool' || !capture) return null;
    const captured = this.#runtime.audit.capture({
      requestId,
      server: server.name,
      organization: principal?.organization ?? null,
      tool: operation.name,
      arguments: operation.arguments,
      capture,
    });
    const keep = (made: Captured) => {
      this.#captured = made;
    };
    if (captured instanceof Promise) return captured.then(keep);
    keep(captured);
    return null;
  }
}

function targetOf(operation: ClearedCall['operation'] | undefined): string | null {
  if (operation?.kind === 'resource') return operation.uri;
  return operation?.kind === 'prompt' ? operation.name : null;
}

/** What the request itself and its verified token say. */
function callerDetails({ principal, request, message, body }: KnownCall, { audit }: Runtime): CallDetails {
  return {
    jsonrpc_id: message?.kind === 'request' ? JSON.stringify(message.id) : null,
    user_agent: request.headers.get('user-agent') ?? null,
    arguments_bytes: body?.length ?? null,
    ...(principal && {
      token_ref: hasTokenReference(principal) ? audit.reference(principal.tokenId) : null,
      token_audience: principal.audience,
      token_expires_at: timestamp(principal.expiresAt * 1000),
      grant_id: principal.grantId,
      actor: principal.actors,
      ...kindOf(principal, request),
    }),
  };
}

function kindOf(
  { issuer, subject, clientId, byCertificate = false }: Principal,
  request: ReceivedCall['request'],
): CallDetails {
  if (issuer === anonymousIssuer) return { principal_type: null, auth_method: null };
  if (issuer === staticKeyIssuer) return { principal_type: 'static-key', auth_method: 'static-key' };
  const isDpop = /^dpop /i.test(request.headers.get('authorization') ?? '');
  return {
    principal_type: subject === clientId ? 'service' : 'user',
    auth_method: isDpop ? 'dpop' : byCertificate ? 'mtls' : 'bearer',
  };
}

function hasTokenId(principal: Principal): boolean {
  return principal.issuer !== anonymousIssuer && !hasTokenReference(principal);
}

/** What stands in for a `jti` that the token does not have. */
function hasTokenReference({ tokenId }: Principal): boolean {
  return tokenId.startsWith('sha256:');
}
