import type { Row } from '../../store/index.ts';
import type { ChainCheck } from './chains.ts';

/** What the guards of a store let go. */
export const releasedSql =
  'SELECT writers.writer AS writer, max(through) AS through FROM removals JOIN writers ON writers.id = removals.writer GROUP BY writers.writer';

/**
 * Whoever writes to the table of what may go need not remove anything: the next start would. So it must say no more than the trail
 * itself has said.
 * @param rows of `releasedSql`
 */
export function compareReleased(rows: readonly Row[], check: ChainCheck): void {
  const removed = check.removed();
  for (const row of rows) {
    const [writer, position] = [String(row['writer']), Number(row['through'])];
    if (position <= (removed.get(writer)?.position ?? 0)) continue;
    const message = `entries up to ${position} are to be removed, and no retention is on record`;
    check.find('index', { writer, position }, message);
  }
}
