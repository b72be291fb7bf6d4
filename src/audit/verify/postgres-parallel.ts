import { Worker } from 'node:worker_threads';
import type { Secret } from '../../base/index.ts';
import type { PgQueries } from '../../store/index.ts';
import type { VerifierKey } from '../note.ts';
import { ChainCheck } from './chains.ts';
import type { PgKey, PgRange } from './postgres-rows.ts';
import type { PgVerifySettings } from './postgres-worker.ts';
import { joinAll, workersAtMost } from './workers.ts';

const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './postgres-worker.ts' : './postgres-worker.js',
  import.meta.url,
);
/** So many stretches at most, whatever positions somebody gave rows. */
const mostStretches = 10_000;

/** Below this threads would take longer to start than to be of use. */
const leastStretches = 2;

export interface PgToShareOut {
  readonly url: Secret;
  readonly keys: readonly VerifierKey[];
  /** 16,384 by default. */
  readonly stretchRows?: number;
}

/**
 * Checks stretches of the rows, in as many threads as the machine has processors, each with a connection of its own to the same view of
 * the database; and joins what they say in order, as the check of the embedded store does (sqlite-parallel.ts).
 * @returns null where something is wrong, or there is too little to share out
 */
export async function checkInParallel(
  { query }: PgQueries,
  { url, keys, stretchRows = 16_384 }: PgToShareOut,
): Promise<ChainCheck | null> {
  const stretches = await stretchesOf(query, stretchRows);
  if (stretches.length < leastStretches) return null;
  const { rows } = await query('SELECT pg_export_snapshot() AS snapshot');
  const workerData: PgVerifySettings = { url: url.reveal(), keys, snapshot: String(rows[0]?.['snapshot']) };
  const check = new ChainCheck(keys);
  const workers = Array.from(
    { length: Math.min(stretches.length, workersAtMost()) },
    () => new Worker(workerFile, { workerData, env: {}, execArgv: [] }),
  );
  try {
    return (await joinAll(stretches, { workers, check })) ? check : null;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Every row is in one of them, whatever the positions are that they are made from. */
async function stretchesOf(query: PgQueries['query'], stretchRows: number): Promise<PgRange[]> {
  const { rows } = await query(
    `SELECT id, (SELECT min(position) FROM records WHERE writer = id) AS first,
       (SELECT max(position) FROM records WHERE writer = id) AS last FROM writers ORDER BY id`,
  );
  const chains = rows.map((row) => {
    return { writer: Number(row['id']), first: Number(row['first']), last: Number(row['last']) };
  });
  const total = chains.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const each = Math.max(stretchRows, Math.ceil(total / mostStretches));
  if (!Number.isSafeInteger(total) || chains.some(({ last }) => !Number.isSafeInteger(last + each)))
    return [];
  const cuts: PgKey[] = [];
  let room = each;
  for (const { writer, first, last } of chains) {
    let position = first - 1;
    while (last - position > room) {
      position += room;
      cuts.push({ writer, position });
      room = each;
    }
    room -= last - position;
  }
  return [null, ...cuts].map((from, at) => ({ from, to: cuts[at] ?? null }));
}
