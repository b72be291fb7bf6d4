import { createHmac } from 'node:crypto';
import { Secret, sha256Hex } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { ProtectedServer } from '../pipeline/index.ts';

/**
 * Names a configuration in the audit trail: equal for equal ones. What a secret holds counts, so that a changed secret is a
 * change; keyed, so that no guess at one can be tested.
 */
export function configHash(config: Config, key: Uint8Array): string {
  // `value` is what `toJSON` made of it already: a secret is found in its holder.
  const text = JSON.stringify(
    config,
    function (this: Readonly<Record<string, unknown>>, name, value: unknown) {
      const held = this[name];
      return held instanceof Secret ? { secret: held.reveal() } : value;
    },
  );
  return `hmac-sha256:${createHmac('sha256', key).update(text).digest('hex')}`;
}

/** Names the policy of all servers together: of one server it is what the records of its calls say. */
export function policyHash(servers: Iterable<Pick<ProtectedServer, 'name' | 'policy'>>): string {
  const named = [...servers].map(({ name, policy }) => [name, policy.hash] as const);
  const [only, another] = named;
  if (only !== undefined && another === undefined) return only[1];
  return `sha256:${sha256Hex(JSON.stringify(named.toSorted(([a], [b]) => (a < b ? -1 : 1))))}`;
}
