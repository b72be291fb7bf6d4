import { severities } from '../detections/index.ts';
import type { Alert } from './alert.ts';

/** Alerts that wait, bounded. When there is no room the least severe goes, of those the newest: the first says most. */
export class AlertQueue {
  readonly #max: number;
  readonly #waiting: Alert[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** @returns what had to go: `alert` itself, one that waited, or null */
  add(alert: Alert): Alert | null {
    if (this.#waiting.length < this.#max) {
      this.#waiting.push(alert);
      return null;
    }
    const ranks = this.#waiting.map(({ severity }) => severities.indexOf(severity));
    const lowest = Math.min(...ranks);
    if (severities.indexOf(alert.severity) <= lowest) return alert;
    const [gone] = this.#waiting.splice(ranks.lastIndexOf(lowest), 1);
    this.#waiting.push(alert);
    return gone ?? null;
  }

  take(): Alert | undefined {
    return this.#waiting.shift();
  }

  putBack(alert: Alert): void {
    this.#waiting.unshift(alert);
  }
}
