import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `read` gives `expected`, or fails with what it gave last. For what ends on another socket's time. */
export async function eventually<T>(read: () => T, expected: T, message?: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (Object.is(read(), expected)) return;
    await sleep(20);
  }
  assert.equal(read(), expected, message);
}
