import { type Refusal, refuse } from '../base/index.ts';

/**
 * Bytes of request bodies that are in memory at once, over all callers and for each. A body counts from its first byte until its
 * call has ended: whoever holds a token could otherwise fill the memory with bodies that never end.
 */
export interface BodyBudget {
  /** @param owner stable name of who calls (`subjectKey`) */
  open(owner: string): BodyShare;
  /** Bytes held now, and owners that hold any. */
  size(): { readonly bytes: number; readonly owners: number };
}

/** What one call holds. */
export interface BodyShare {
  /** @returns a refusal if so many bytes more would be too many */
  take(bytes: number): Refusal | null;
  /** Gives all of it back, once: later calls change nothing. */
  release(): void;
}

export function createBodyBudget(limits: { total: number; owner: number }): BodyBudget {
  const held = new Map<string, number>();
  let bytes = 0;

  function change(owner: string, by: number): void {
    const now = (held.get(owner) ?? 0) + by;
    if (now === 0) held.delete(owner);
    else held.set(owner, now);
    bytes += by;
  }

  return {
    open(owner) {
      let mine = 0;
      let released = false;
      return {
        take(more) {
          if (released || bytes + more > limits.total) return crowded('all', limits.total);
          if ((held.get(owner) ?? 0) + more > limits.owner) return crowded('client', limits.owner);
          change(owner, more);
          mine += more;
          return null;
        },
        release() {
          released = true;
          if (mine > 0) change(owner, -mine);
          mine = 0;
        },
      };
    },
    size: () => ({ bytes, owners: held.size }),
  };
}

function crowded(layer: 'all' | 'client', limit: number): Refusal {
  return refuse('limit_concurrency', 'Too many large calls at once', {
    limit: { layer: `bytes_${layer}`, retryAfterMs: 1000, limit, remaining: 0 },
  });
}
