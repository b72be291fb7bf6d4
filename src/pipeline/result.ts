import type { AuditResult, CallDetails } from '../audit/index.ts';
import type { Refusal, RefusalCode } from '../base/index.ts';

/** The record's word for each refusal. The compiler asks for new ones. */
const results: Readonly<Record<RefusalCode, AuditResult>> = {
  malformed_request: 'malformed',
  malformed_json: 'malformed',
  malformed_message: 'malformed',
  body_too_large: 'malformed',
  // Not a slip: what one reader sees is not what another does.
  header_mismatch: 'denied_policy',
  unsupported_version: 'malformed',
  unsupported_media_type: 'malformed',
  not_acceptable: 'malformed',
  method_not_allowed: 'malformed',
  origin_denied: 'denied_auth',
  host_denied: 'denied_auth',
  token_missing: 'denied_auth',
  token_malformed: 'denied_auth',
  token_signature: 'denied_auth',
  token_expired: 'denied_auth',
  token_not_yet_valid: 'denied_auth',
  token_issuer: 'denied_auth',
  token_audience: 'denied_audience',
  token_type: 'denied_auth',
  token_revoked: 'denied_auth',
  token_claims: 'denied_auth',
  token_key_ended: 'denied_auth',
  token_binding: 'denied_auth',
  proof_invalid: 'denied_auth',
  proof_nonce: 'denied_auth',
  proof_unavailable: 'error',
  issuer_unavailable: 'error',
  scope_missing: 'denied_scope',
  policy_denied: 'denied_policy',
  policy_undecided: 'denied_policy',
  arguments_invalid: 'denied_policy',
  arguments_unchecked: 'denied_policy',
  tool_quarantined: 'denied_policy',
  unknown_tool: 'denied_policy',
  unknown_method: 'denied_policy',
  session_unknown: 'denied_auth',
  task_unknown: 'denied_auth',
  stopped: 'denied_policy',
  stops_unavailable: 'error',
  limit_client: 'denied_rate',
  limit_tool: 'denied_rate',
  limit_organization: 'denied_rate',
  limit_address: 'denied_rate',
  limit_concurrency: 'denied_rate',
  limit_loop: 'denied_rate',
  limits_unavailable: 'error',
  confirmation_unavailable: 'denied_approval',
  upstream_unavailable: 'error',
  upstream_timeout: 'timeout',
  upstream_invalid: 'error',
  upstream_not_connected: 'error',
  audit_unavailable: 'error',
  shutting_down: 'error',
  internal_error: 'error',
};

export function resultOf({ code }: Pick<Refusal, 'code'>): AuditResult {
  return results[code];
}

/** Which limit, for the record. */
export function limitDetails({ limit }: Refusal): CallDetails {
  if (!limit) return {};
  return {
    limit_layer: limit.layer,
    limit_max: limit.limit,
    limit_remaining: limit.remaining,
    retry_after_ms: limit.retryAfterMs,
  };
}
