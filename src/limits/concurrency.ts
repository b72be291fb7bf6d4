/** How many calls run at once. */
export interface Concurrency {
  /**
   * Takes a place, or says which ceiling is full. Never waits.
   * @param client stable name of who calls (`subjectKey`)
   * @param upstream name of the server
   */
  enter(client: string, upstream: string): ConcurrencyVerdict;
  /** Calls that run, and names held; both are 0 when nothing runs. */
  size(): { readonly running: number; readonly names: number };
}

export type ConcurrencyVerdict =
  | {
      readonly entered: true;
      /** Gives the place back, once: more calls of it change nothing. Call it on every way out. */
      readonly release: () => void;
    }
  | { readonly entered: false; readonly layer: 'client' | 'upstream'; readonly limit: number };

/** Bounded by itself: a name is held while calls of it run, and `upstream` bounds the calls of each server. */
export function createConcurrency(limits: { client: number; upstream: number }): Concurrency {
  const clients = new Map<string, number>();
  const upstreams = new Map<string, number>();
  let running = 0;

  return {
    enter(client, upstream) {
      if (!((clients.get(client) ?? 0) < limits.client)) {
        return { entered: false, layer: 'client', limit: limits.client };
      }
      if (!((upstreams.get(upstream) ?? 0) < limits.upstream)) {
        return { entered: false, layer: 'upstream', limit: limits.upstream };
      }
      add(clients, client, 1);
      add(upstreams, upstream, 1);
      running++;
      return { entered: true, release: once(() => leave(client, upstream)) };
    },
    size: () => ({ running, names: clients.size + upstreams.size }),
  };

  function leave(client: string, upstream: string): void {
    add(clients, client, -1);
    add(upstreams, upstream, -1);
    running--;
  }
}

function add(counts: Map<string, number>, name: string, change: number): void {
  const count = (counts.get(name) ?? 0) + change;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
