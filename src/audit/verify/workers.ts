import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import type { ChainCheck } from './chains.ts';
import type { Part } from './part.ts';

// Threads that check stretches of rows, each answering its questions in their order.

/** Null: something was found, or it cannot be read. `whole`: of a question that is no stretch. */
export type VerifyAnswer = Part | 'whole' | null;

const mostWorkers = 8;

export function workersAtMost(): number {
  return Math.min(mostWorkers, availableParallelism());
}

interface Shared {
  readonly workers: readonly Worker[];
  readonly check: ChainCheck;
}

/** What is checked ahead of its turn waits in memory: two stretches for each worker at most. */
export async function joinAll(stretches: readonly unknown[], { workers, check }: Shared): Promise<boolean> {
  const answers = workers.map((worker) => answersOf(worker));
  const ask = (at: number) => {
    if (at < stretches.length) workers[at % workers.length]?.postMessage(stretches[at]);
  };
  const ahead = workers.length * 2;
  for (let at = 0; at < ahead; at += 1) ask(at);
  for (let at = 0; at < stretches.length; at += 1) {
    const part = await answers[at % workers.length]?.();
    if (!part || part === 'whole' || !check.join(part)) return false;
    ask(at + ahead);
  }
  return true;
}

/** The worker's answers, in the order of the questions; null for ever once it has died. */
export function answersOf(worker: Worker): () => Promise<VerifyAnswer> {
  const arrived: VerifyAnswer[] = [];
  let waiting: ((answer: VerifyAnswer) => void) | null = null;
  let isDead = false;
  worker.on('message', (answer: VerifyAnswer) => {
    if (waiting) waiting(answer);
    else arrived.push(answer);
    waiting = null;
  });
  worker.on('error', () => {}); // told by `exit`, which follows; unheard it would end the process
  worker.once('exit', () => {
    isDead = true;
    waiting?.(null);
  });
  return () => {
    const answer = arrived.shift();
    if (answer !== undefined) return Promise.resolve(answer);
    if (isDead) return Promise.resolve(null);
    return new Promise((resolve) => {
      waiting = resolve;
    });
  };
}
