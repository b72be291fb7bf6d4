import { hash } from 'node:crypto';
import type { RedisConnection } from '../../store/index.ts';

/** Proofs of possession that any gateway has seen. */
export interface SharedReplay {
  /** Whether it is the first time. Rejects when that cannot be found out. */
  note(proof: string, lifetimeMs: number): Promise<boolean>;
}

/** One key for each proof, by its digest, gone when the proof is too old anyway. SET NX decides which of two comes first. */
export function sharedReplay(redis: RedisConnection): SharedReplay {
  return {
    async note(proof, lifetimeMs) {
      const key = `${redis.prefix}proof:${hash('sha256', proof, 'base64url').slice(0, 22)}`;
      return (await redis.call('SET', key, '1', 'PX', lifetimeMs, 'NX')) === 'OK';
    },
  };
}
