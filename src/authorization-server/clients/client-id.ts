import { createHmac } from 'node:crypto';
import { randomToken } from '../../base/index.ts';

const windowMs = 24 * 3_600_000;

/**
 * The id of a client that registers. Identical registrations of public clients within a day are one client: agents
 * register at every start, and a public client's id says what program asks, never which copy of it (RFC 7591 section 5
 * leaves this to the server). Nothing is shared by that: whoever has the same metadata gets codes at the same redirect
 * URIs only, each person consents for themselves, and each token belongs to one grant. Never for a client that
 * authenticates: its secret or key is its own.
 * @param metadata as it is registered, attacker-controlled
 */
export function registeredClientId(
  metadata: Record<string, unknown>,
  { key, now }: { key: string; now: number },
): string {
  if (metadata['token_endpoint_auth_method'] !== 'none') return randomToken();
  const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHmac('sha256', key)
    .update(`client id\n${Math.floor(now / windowMs)}\n${JSON.stringify(sorted)}`)
    .digest('base64url')
    .slice(0, 32);
}
