import type { Row } from '../../store/index.ts';
import type { AuditQuery } from '../query.ts';

/** The first `count` rows, which have a `timestamp` and a `seq`, in the order of the query. */
export function firstOf(rows: readonly Row[], order: AuditQuery['order'], count: number): Row[] {
  return rows
    .toSorted((a, b) => {
      const [one, other] = [String(a['timestamp']), String(b['timestamp'])];
      if (one === other) return (Number(a['seq']) - Number(b['seq'])) * (order === 'oldest' ? 1 : -1);
      return isBefore(order, one, other) ? -1 : 1;
    })
    .slice(0, count);
}

/** In the order of the query, and not at the same time. */
export function isBefore(order: AuditQuery['order'], one: string, other: string): boolean {
  return order === 'oldest' ? one < other : one > other;
}
