/** A dead endpoint costs a probe now and then, not a timeout for each request. Times in milliseconds of a monotonic clock. */
export class BackOff {
  #failures = 0;
  #retryAt = 0;
  #probing = false;

  /** Whether to try now. Who is told `true` while the endpoint is thought dead is the only one until `settle`. */
  enter(now: number): boolean {
    if (this.#failures < tolerated) return true;
    if (this.#probing || now < this.#retryAt) return false;
    this.#probing = true;
    return true;
  }

  settle(ok: boolean, now: number): void {
    this.#probing = false;
    this.#failures = ok ? 0 : this.#failures + 1;
    const steps = Math.max(0, this.#failures - tolerated);
    this.#retryAt = now + Math.min(firstMs * 2 ** Math.min(steps, 10), longestMs);
  }
}

/** Failures in a row before anybody is turned away untried: one answer of the endpoint begins anew. */
const tolerated = 3;
const firstMs = 500;
const longestMs = 5000;
