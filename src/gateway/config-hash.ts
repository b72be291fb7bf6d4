import { createHmac } from 'node:crypto';
import { Secret } from '../base/index.ts';
import type { Config } from '../config/index.ts';

/**
 * Names a configuration in the audit trail: equal for equal ones. What a secret holds counts, so that a changed secret is a
 * change; keyed, so that no guess at one can be tested.
 */
export function configHash(config: Config, key: Uint8Array): string {
  const text = JSON.stringify(config, (_name, value: unknown) => {
    return value instanceof Secret ? { secret: value.reveal() } : value;
  });
  return `hmac-sha256:${createHmac('sha256', key).update(text).digest('hex')}`;
}
