import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisConnection } from './redis.ts';

/** Whether the connection is ready within a time: for a first question that should not fail for being early. */
export function isReadyWithin(redis: RedisConnection, ms: number): Promise<boolean> {
  const ready = new Promise<boolean>((resolve) => redis.onReady(() => resolve(true)));
  return Promise.race([ready, sleep(ms, false, { ref: false })]);
}
