import type { RateLimit } from '../policy/index.ts';
import { addressGroup } from './address.ts';
import { createLedger } from './ledger.ts';
import { type LimitDemand, type LimitRefused, refusalOf } from './limiter.ts';
import { createMemoryStore } from './stores/memory.ts';

/**
 * Guards the work before a caller is known. Addresses are shared (offices, hosted clients), so its limits are wide and
 * it only slows floods down; who is known is limited by identity.
 */
export interface FloodGuard {
  /**
   * Charges a request, unless it is refused: for its number, or for too many failed authentications before it.
   * @param address of the socket or of a trusted proxy's header; undefined counts with all that have none
   * @param now milliseconds of a monotonic clock
   */
  check(address: string | undefined, now: number): LimitRefused | { readonly admitted: true };
  /** Charges a failed authentication. Call it after `check` admitted the request. */
  failed(address: string | undefined, now: number): void;
  /** Number of counters held. */
  size(): number;
}

export interface FloodGuardOptions {
  /** Requests per address. */
  readonly address: RateLimit;
  /** Failed authentications per address. */
  readonly failures: RateLimit;
  /** Addresses held at most, for each of the two. */
  readonly maxAddresses: number;
}

export function createFloodGuard(options: FloodGuardOptions): FloodGuard {
  const requests = createLedger(createMemoryStore(options.maxAddresses));
  const failures = createLedger(createMemoryStore(options.maxAddresses));
  const demandOf = (key: string, limit: RateLimit): LimitDemand => ({ layer: 'address', key, limit });

  return {
    check(address, now) {
      const key = addressGroup(address);
      const request = demandOf(key, options.address);
      const failure = demandOf(key, options.failures);
      const ticks = requests.begin(1, now);
      const requestWait = requests.wait(request, ticks);
      const failureWait = failures.wait(failure, failures.begin(1, now));
      if (failureWait !== 0 && !(failureWait < requestWait)) {
        return refusalOf({ demand: failure, wait: failureWait });
      }
      if (requestWait !== 0) return refusalOf({ demand: request, wait: requestWait });
      requests.charge(request, ticks);
      return { admitted: true };
    },
    failed(address, now) {
      const ticks = failures.begin(1, now);
      failures.charge(demandOf(addressGroup(address), options.failures), ticks);
    },
    size: () => requests.size() + failures.size(),
  };
}
