import { Worker } from 'node:worker_threads';
import type { RetentionAnswer, RetentionQuestion, RetentionSettings } from './sqlite-worker.ts';
import type { RetentionStore } from './store.ts';

const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js',
  import.meta.url,
);

/** The embedded store. The worker starts with the first question, and ends with `close`. One question at a time. */
export function sqliteRetention(settings: RetentionSettings): RetentionStore {
  let worker: Worker | undefined;
  const ask = async (question: RetentionQuestion): Promise<RetentionAnswer> => {
    worker ??= new Worker(workerFile, { workerData: settings, env: {}, execArgv: [] });
    const answer = await answerOf(worker, question);
    if (answer.kind === 'failed') throw new Error(answer.message);
    return answer;
  };
  return {
    async plan(before) {
      const answer = await ask({ kind: 'plan', before });
      if (answer.kind !== 'planned') throw unexpected();
      return answer.plan;
    },
    async release(heads) {
      await ask({ kind: 'release', heads });
    },
    async removeSome() {
      const answer = await ask({ kind: 'removeSome' });
      if (answer.kind !== 'removed') throw unexpected();
      return answer.count;
    },
    async close() {
      const closing = worker;
      worker = undefined;
      if (!closing || closing.threadId === -1) return;
      const ended = new Promise<void>((resolve) => closing.once('exit', () => resolve()));
      closing.postMessage(null);
      await ended;
    },
  };
}

function answerOf(worker: Worker, question: RetentionQuestion): Promise<RetentionAnswer> {
  return new Promise((resolve) => {
    const settle = (answer: RetentionAnswer) => {
      worker.off('message', settle);
      worker.off('error', failed);
      worker.off('exit', exited);
      resolve(answer);
    };
    const failed = (error: Error) => settle({ kind: 'failed', message: error.message });
    const exited = () => settle({ kind: 'failed', message: 'the retention worker ended' });
    worker.on('message', settle);
    worker.on('error', failed);
    worker.on('exit', exited);
    worker.postMessage(question);
  });
}

function unexpected(): Error {
  return new Error('unexpected answer of the retention worker');
}
