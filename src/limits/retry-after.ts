/**
 * Value of the `Retry-After` header (RFC 9110 section 10.2.3): whole seconds, rounded up, so that a call after them is
 * admitted.
 */
export function retryAfterHeader(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
}
