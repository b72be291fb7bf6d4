/** Ten buckets for each doubling: a percentile is at most 4 % away from the truth. From 1 µs to 18 minutes. */
const perDoubling = 10;
const smallest = 0.001;
const buckets = 30 * perDoubling;

/** Percentiles of milliseconds, in 1.2 kB, however many there are. */
export class Latencies {
  readonly #counts = new Uint32Array(buckets + 1);
  #total = 0;
  #highest = 0;

  add(ms: number): void {
    const bucket = Math.ceil(Math.log2(Math.max(ms, smallest) / smallest) * perDoubling);
    const at = Math.min(bucket, buckets);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#total += 1;
    if (ms > this.#highest) this.#highest = ms;
  }

  /** @param part from 0 to 1: 0.99 for the 99th percentile. Null when nothing was added. */
  at(part: number): number | null {
    if (this.#total === 0) return null;
    const wanted = Math.max(1, Math.ceil(this.#total * part));
    let seen = 0;
    for (let bucket = 0; bucket <= buckets; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) return Math.min(this.#highest, rounded(middle(bucket)));
    }
    return this.#highest;
  }
}

function middle(bucket: number): number {
  return smallest * 2 ** ((bucket - 0.5) / perDoubling);
}

function rounded(ms: number): number {
  return Number(ms.toPrecision(3));
}
