import { Worker } from 'node:worker_threads';
import type { Db } from '../../store/index.ts';
import { segmentSize } from '../prints.ts';
import { ChainCheck } from './chains.ts';
import { beginningsOf, type Range } from './sqlite-rows.ts';
import type { VerifyQuestion, VerifySettings } from './sqlite-worker.ts';
import { answersOf, joinAll, workersAtMost } from './workers.ts';

const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js',
  import.meta.url,
);
/** Below this a thread would take longer to start than to be of use. */
const leastSegments = 2;

/**
 * Checks each segment by itself, in as many threads as the machine has processors, and joins what they say in order. Who checks a
 * segment takes the entry before it for granted; joining holds that against what the segments before ended with. Nothing is
 * reported from here: where anything is wrong, all rows are read again in one go, which says what it is.
 * @returns null where something is wrong, or there is too little to share out
 */
export async function checkInParallel(
  db: Db,
  place: Omit<VerifySettings, 'beginnings'>,
): Promise<ChainCheck | null> {
  const segments = segmentsOf(db);
  if (!segments) return null;
  const settings: VerifySettings = { ...place, beginnings: beginningsOf(db) };
  const check = new ChainCheck(settings.keys);
  const start = () => new Worker(workerFile, { workerData: settings, env: {}, execArgv: [] });
  const workers = Array.from({ length: workersAtMost() }, start);
  const reader = start();
  try {
    const file = answersOf(reader)();
    reader.postMessage('file' satisfies VerifyQuestion);
    return (await joinAll(segments, { workers, check })) && (await file) === 'whole' ? check : null;
  } finally {
    await Promise.all([reader, ...workers].map((worker) => worker.terminate()));
  }
}

/** Null: few, or rows lie so far apart that somebody gave them their numbers. */
function segmentsOf(db: Db): Range[] | null {
  // As reals: a row may have any number, also one that JavaScript has not.
  const [first = 0, last = 0, count = 0] =
    db.prepare('SELECT min(seq) * 1.0, max(seq) * 1.0, count(*) FROM records').tuples()[0]?.map(Number) ?? [];
  const begin = Math.floor(first / segmentSize);
  const length = Math.floor(last / segmentSize) + 1 - begin;
  if (!(length >= leastSegments && length <= leastSegments + (4 * count) / segmentSize)) return null;
  return Array.from({ length }, (_, at) => {
    const from = (begin + at) * segmentSize;
    return { from, to: Math.min(last, from + segmentSize - 1) };
  });
}
