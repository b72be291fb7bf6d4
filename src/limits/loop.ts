import { createHmac, createSecretKey, randomBytes } from 'node:crypto';

/**
 * Notices an agent that makes the same call again and again. Exact: never more than `identical` equal calls in any
 * stretch of `withinMs`. Counts in this process alone.
 */
export interface LoopGuard {
  /**
   * Takes one of the places for a call, or says when the next comes free.
   * @param identity unambiguous text of caller, server, tool and canonical arguments; kept as a keyed digest alone
   * @param now milliseconds of a monotonic clock
   */
  enter(identity: string, now: number): LoopVerdict;
  /** Number of calls known. */
  size(): number;
}

export type LoopVerdict =
  | {
      readonly entered: true;
      /** Gives the place back: the call was refused for another reason. */
      readonly undo: () => void;
    }
  | { readonly entered: false; readonly retryAfterMs: number };

export interface LoopOptions {
  readonly identical: number;
  readonly withinMs: number;
  /** Different calls remembered at most. */
  readonly maxCalls: number;
}

/** Looked at, oldest first, for one that can go: bounds the cost of a flood of different calls. */
const candidates = 16;

export function createLoopGuard({ identical, withinMs, maxCalls }: LoopOptions): LoopGuard {
  const key = createSecretKey(randomBytes(32));
  /** Times of the admitted calls of the last stretch, oldest first; the most recently seen call last. */
  const seen = new Map<string, number[]>();
  let latest = Number.NEGATIVE_INFINITY;

  /** Of the oldest the one seen least often: what repeats is what this is for. */
  function makeRoom(now: number): void {
    if (seen.size < maxCalls) return;
    let least: string | null = null;
    let fewest = Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const [name, times] of seen) {
      const count = (times.at(-1) ?? 0) <= now - withinMs ? 0 : times.length;
      if (count < fewest) [least, fewest] = [name, count];
      if (++looked === candidates || fewest === 0) break;
    }
    if (least !== null) seen.delete(least);
  }

  return {
    enter(identity, ms) {
      latest = Math.max(latest, ms);
      const now = latest;
      const name = createHmac('sha256', key).update(identity).digest('base64url').slice(0, 24);
      const times = seen.get(name) ?? [];
      while (times.length > 0 && (times[0] ?? 0) <= now - withinMs) times.shift();
      if (times.length >= identical) {
        return { entered: false, retryAfterMs: Math.max(1, Math.ceil((times[0] ?? 0) + withinMs - now)) };
      }
      if (!seen.delete(name)) makeRoom(now);
      times.push(now);
      seen.set(name, times);
      return {
        entered: true,
        undo: () => {
          const at = times.lastIndexOf(now);
          if (at >= 0) times.splice(at, 1);
        },
      };
    },
    size: () => seen.size,
  };
}
