import { type Clock, timestamp } from '../base/index.ts';
import type { AuditEvent } from './trail.ts';

/** Of one name, kept one by one in a minute: from one source, and from all together. What comes beyond is counted. */
const mostOfSource = 30;
const mostOfAll = 100;
/** Sums that are kept apart by source in a minute; what is left is summed over all sources. */
const mostSums = 100;
const windowMs = 60_000;

export interface BoundedEventsOptions {
  readonly record: (event: AuditEvent) => void;
  readonly clock: Clock;
  /** What counts as one source: an address, or the network that one subscriber has. */
  readonly sourceOf: (address: string | null) => string;
}

/** Events that strangers cause. */
export interface BoundedEvents {
  event(event: AuditEvent): void;
  /** Writes the sums of the minute that runs. */
  close(): void;
}

interface Sum {
  readonly event: string;
  readonly reason: string | null;
  readonly address: string | null;
  count: number;
}

/**
 * What anybody can cause by asking must not fill the disk: the first events of a minute are recorded as they are, and at its
 * end one event for each name, reason and source says how many more there were (`count`). Nothing is lost but the particulars.
 */
export function createBoundedEvents({ record, clock, sourceOf }: BoundedEventsOptions): BoundedEvents {
  /** Of each name, and of each name and source. Bounded: a source enters it with an event that is recorded. */
  const recorded = new Map<string, number>();
  const sums = new Map<string, Sum>();
  let startedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const finish = (): void => {
    clearTimeout(timer);
    for (const { event, reason, address, count } of sums.values()) {
      const data = { ...(reason !== null && { reason }), count };
      record({ timestamp: timestamp(clock.now()), event, address, data });
    }
    sums.clear();
    recorded.clear();
  };
  const add = (sum: Omit<Sum, 'count'>): void => {
    if (sums.size === 0) timer = setTimeout(finish, windowMs).unref();
    const key = JSON.stringify([sum.event, sum.reason, sum.address]);
    const known = sums.get(key);
    if (known !== undefined) known.count += 1;
    else if (sum.address === null || sums.size < mostSums) sums.set(key, { ...sum, count: 1 });
    else add({ ...sum, address: null });
  };
  return {
    event(event) {
      const now = clock.monotonic();
      if (now - startedAt >= windowMs) {
        finish();
        startedAt = now;
      }
      const source = sourceOf(event.address ?? null);
      const counts = [
        { key: event.event, most: mostOfAll },
        { key: `${event.event} ${source}`, most: mostOfSource },
      ].map((one) => ({ ...one, before: recorded.get(one.key) ?? 0 }));
      if (counts.every(({ before, most }) => before < most)) {
        for (const { key, before } of counts) recorded.set(key, before + 1);
        record(event);
        return;
      }
      const reason = event.data?.['reason'];
      add({ event: event.event, reason: typeof reason === 'string' ? reason : null, address: source });
    },
    close: finish,
  };
}
