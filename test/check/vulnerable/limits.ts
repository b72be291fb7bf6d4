import type { Faults } from './faults.ts';

export interface Ceiling {
  readonly burst: number;
  readonly perSecond: number;
}

/** Buckets by name; the wait in milliseconds, 0 when the call was taken. */
export interface Limits {
  take(ceilings: readonly { readonly key: string; readonly ceiling: Ceiling }[]): number;
}

export function createLimits(): Limits {
  const buckets = new Map<string, { left: number; at: number }>();
  const leftIn = (key: string, { burst, perSecond }: Ceiling, now: number): number => {
    const bucket = buckets.get(key) ?? { left: burst, at: now };
    return Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond);
  };
  return {
    take(ceilings) {
      const now = performance.now();
      const left = ceilings.map(({ key, ceiling }) => leftIn(key, ceiling, now));
      const waits = ceilings.map(({ ceiling }, at) => (1 - (left[at] ?? 0)) / ceiling.perSecond);
      const wait = Math.max(0, ...waits) * 1000;
      if (wait === 0) {
        ceilings.forEach(({ key }, at) => {
          buckets.set(key, { left: (left[at] ?? 0) - 1, at: now });
        });
      }
      return wait;
    },
  };
}

/** Seconds for `Retry-After`: rounded up, so that a call after it succeeds. */
export function retryAfter(waitMs: number, faults: Faults): string {
  return faults.has('retry-after-lies') ? '0' : String(Math.max(1, Math.ceil(waitMs / 1000)));
}
