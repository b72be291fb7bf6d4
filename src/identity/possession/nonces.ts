import { createHmac, createSecretKey } from 'node:crypto';
import { type Clock, equalInConstantTime } from '../../base/index.ts';

/** Nonces of the resource server (RFC 9449 section 9), without a store: each is a keyed name of its time. */
export interface Nonces {
  current(): string;
  /** @param nonce attacker-controlled */
  accepts(nonce: unknown): boolean;
}

const stepMs = 150_000;

/** @param key 32 bytes, the same for every process behind one URL */
export function createNonces(key: Uint8Array, clock: Clock): Nonces {
  const secret = createSecretKey(key);
  const at = (step: number): string =>
    createHmac('sha256', secret).update(`dpop nonce ${step}`).digest('base64url').slice(0, 32);
  const step = (): number => Math.floor(clock.now() / stepMs);
  return {
    current: () => at(step()),
    // The step before, for who has it from the last answer; the one after, for replicas whose clocks are ahead.
    accepts: (nonce) =>
      typeof nonce === 'string' && [0, -1, 1].some((off) => equalInConstantTime(nonce, at(step() + off))),
  };
}
