import { hash } from 'node:crypto';
import type { Clock } from '../../base/index.ts';

/**
 * Remembers proofs for at least as long as they are good (RFC 9449 section 11.1), in two generations: the older is forgotten
 * whole, so that forgetting costs nothing. It never forgets early: when a generation is full, it takes no more.
 */
export class ReplayGuard {
  readonly #clock: Clock;
  readonly #lifetimeMs: number;
  readonly #maxEntries: number;
  #young = new Set<string>();
  #old = new Set<string>();
  #turnedAt: number;

  constructor(options: { clock: Clock; lifetimeMs: number; maxEntries: number }) {
    this.#clock = options.clock;
    this.#lifetimeMs = options.lifetimeMs;
    this.#maxEntries = options.maxEntries;
    this.#turnedAt = options.clock.monotonic();
  }

  /** Notes a proof. Synchronous, so that of two at once one is the first. */
  note(proof: string): 'first' | 'seen' | 'full' {
    this.#turn();
    const key = hash('sha256', proof, 'base64url').slice(0, 22);
    if (this.#young.has(key) || this.#old.has(key)) return 'seen';
    if (this.#young.size >= this.#maxEntries) return 'full';
    this.#young.add(key);
    return 'first';
  }

  #turn(): void {
    const age = this.#clock.monotonic() - this.#turnedAt;
    if (age < this.#lifetimeMs) return;
    this.#old = age < 2 * this.#lifetimeMs ? this.#young : new Set();
    this.#young = new Set();
    this.#turnedAt = this.#clock.monotonic();
  }
}
