import type { PgQueries } from '../../store/index.ts';
import { hexOf } from '../entry-text.ts';
import type { ChainCheck } from './chains.ts';
import { compareReleased, releasedSql } from './released.ts';

/**
 * What is kept beside the entries, and can be made anew from them: where each chain ends, which `audit tail` goes by, and the
 * calls without an outcome, which queries go by.
 */
export async function compareBeside({ query }: PgQueries, check: ChainCheck): Promise<void> {
  await compareHeads(query, check);
  await compareOpenCalls(query, check);
  compareReleased((await query(releasedSql)).rows, check);
}

async function compareHeads(query: PgQueries['query'], check: ChainCheck): Promise<void> {
  const { rows } = await query(
    'SELECT writers.writer, position, hash FROM writers LEFT JOIN heads ON heads.writer = writers.id',
  );
  const heads = new Map(rows.map((row) => [String(row['writer']), row]));
  const removed = check.removed();
  const chains = new Map(check.chains.map((chain) => [chain.writer, chain]));
  for (const writer of new Set([...heads.keys(), ...chains.keys()])) {
    const [head, chain] = [heads.get(writer), chains.get(writer)];
    const position = Number(head?.['position'] ?? 0);
    const last = chain?.last ?? removed.get(writer)?.position ?? 0;
    const isSame = position === last && (!chain || hexOf(head?.['hash']) === chain.hash);
    if (isSame) continue;
    const message = `the database says that it ends at entry ${position}, its entries end at ${last}`;
    check.find('index', { writer, position: Math.min(position, last) + 1 }, message);
  }
}

async function compareOpenCalls(query: PgQueries['query'], check: ChainCheck): Promise<void> {
  const { rows } = await query('SELECT request_id FROM open_calls');
  const listed = new Set(rows.map((row) => String(row['request_id'])));
  for (const { requestId, writer, position } of check.orphans()) {
    if (listed.delete(requestId)) continue;
    check.find('index', { writer, position }, 'queries pass over this call, which has no outcome');
  }
  if (listed.size === 0) return;
  const message = `${listed.size} calls are listed as without an outcome, and are not`;
  check.find('index', { writer: null, position: null }, message);
}
