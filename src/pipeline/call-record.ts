import { type AuditRecord, type AuditResult, argumentsHash } from '../audit/index.ts';
import { type Refusal, type RefusalCode, timestamp } from '../base/index.ts';
import type { Decision } from '../policy/index.ts';
import type { ClearedCall, ReceivedCall } from './call.ts';
import type { Runtime } from './runtime.ts';

/** How a call ended, in the words of the record. */
export interface Ending {
  readonly result: AuditResult;
  readonly reason: string;
  readonly detail: string | null;
  readonly status: number | null;
}

/** The audit records of one call: opened at its first byte, closed exactly once. */
export class CallRecord {
  readonly #call: ReceivedCall & Partial<Omit<ClearedCall, 'decision'>> & { readonly decision?: Decision };
  readonly #runtime: Runtime;
  #hash: string | null = null;
  #closed = false;
  #onClose: (() => void) | null = null;

  constructor(call: ReceivedCall, runtime: Runtime) {
    this.#call = call;
    this.#runtime = runtime;
  }

  /** Resolves when the intent is on disk. Rejects when it cannot be written. */
  intent(): Promise<void> {
    return this.#runtime.audit.intent(this.#record(null));
  }

  /** What the call holds until it has ended. */
  releaseAtClose(release: () => void): void {
    this.#onClose = release;
  }

  close(ending: Ending): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose?.();
    this.#runtime.audit.outcome(this.#record(ending));
  }

  #record(ending: Ending | null): AuditRecord {
    const { principal, decision, server, request, message } = this.#call;
    const operation = this.#call.operation;
    const latency = ending && Math.max(0, this.#runtime.clock.monotonic() - this.#call.startedAt);
    return {
      timestamp: timestamp(this.#call.receivedAt),
      request_id: this.#call.requestId,
      client_id: principal?.clientId ?? null,
      subject: principal?.subject ?? null,
      tool_name: operation?.kind === 'tool' ? operation.name : null,
      arguments_hash: this.#argumentsHash(),
      scopes: principal?.scopes ?? [],
      result: ending?.result ?? null,
      latency_ms: latency,
      reason: ending?.reason ?? null,
      detail: ending?.detail ?? null,
      server: server.name,
      method: message && message.kind !== 'response' ? message.method : request.httpMethod,
      target: targetOf(operation),
      issuer: principal?.issuer ?? null,
      organization: principal?.organization ?? null,
      token_id: principal?.tokenId ?? null,
      protocol_version: this.#call.revision ?? null,
      rule: decision?.rule ?? null,
      scopes_required: (decision?.allow ? decision.scopes : decision?.required) ?? [],
      http_status: ending?.status ?? null,
      address: request.address,
    };
  }

  /** Computed once: intent and outcome carry the same. */
  #argumentsHash(): string | null {
    const { operation } = this.#call;
    if (operation?.kind !== 'tool') return null;
    this.#hash ??= argumentsHash(operation.arguments);
    return this.#hash;
  }
}

function targetOf(operation: ClearedCall['operation'] | undefined): string | null {
  if (operation?.kind === 'resource') return operation.uri;
  return operation?.kind === 'prompt' ? operation.name : null;
}

const denied: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'origin_denied',
  'host_denied',
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
  'token_binding',
  'proof_invalid',
  'proof_nonce',
  'scope_missing',
  'policy_denied',
  'policy_undecided',
  'unknown_tool',
  'session_unknown',
  'stopped',
]);

/** The guide's four results, and `denied_confirmation`. */
export function resultOf(refusal: Refusal): AuditResult {
  if (denied.has(refusal.code)) return 'denied_auth';
  if (refusal.code.startsWith('limit_')) return 'denied_rate';
  return refusal.code === 'confirmation_unavailable' ? 'denied_confirmation' : 'error';
}
