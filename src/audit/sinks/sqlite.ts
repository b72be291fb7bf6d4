import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { makePrivateDirectory } from '../../store/index.ts';
import type { AuditEntry } from '../entry.ts';
import type { AuditSink } from './sink.ts';
import { type Batch, batchOf } from './sqlite-batch.ts';
import type { WorkerAnswer, WorkerSettings } from './sqlite-worker.ts';

export interface SqliteSinkOptions {
  readonly file: string;
  /** Names this process's entries: a UUID. */
  readonly writer: string;
  readonly busyTimeoutMs?: number;
  /** Cap on the file; appends that would pass it fail like those to a full disk. None by default. */
  readonly maxBytes?: number;
  /** An answer that takes longer counts as a failure: a disk that hangs. 15,000 by default. */
  readonly patienceMs?: number;
}

/** A file of an older version is copied once, at about 30,000 entries a second. */
const migrationPatienceMs = 30 * 60_000;

/** Rows pass through and are gone: a larger nursery would only be memory that is held. */
const youngGenerationMb = 16;

const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js',
  import.meta.url,
);

/** SQLite in a worker thread, WAL with `synchronous=FULL`: an append resolves after its fsync. */
export function sqliteSink(options: SqliteSinkOptions): AuditSink {
  const settings: WorkerSettings = {
    file: options.file,
    writer: options.writer,
    busyTimeoutMs: options.busyTimeoutMs ?? 5_000,
    maxBytes: options.maxBytes ?? 0,
  };
  const patienceMs = options.patienceMs ?? 15_000;
  let worker: Worker | undefined;
  return {
    async open() {
      makePrivateDirectory(dirname(options.file));
      // The worker reads no environment: it holds secrets that the trail has no use for.
      const started = new Worker(workerFile, {
        workerData: settings,
        env: {},
        execArgv: [],
        resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
      });
      worker = started;
      started.on('error', () => {}); // told by `exit`, which follows; unheard it would end the process
      started.once('exit', () => {
        if (worker === started) worker = undefined;
      });
      let answer = await answerOf(started, patienceMs);
      if (answer.kind === 'migrating') answer = await answerOf(started, migrationPatienceMs);
      if (answer.kind !== 'opened') throw new Error(reasonOf(answer));
      return answer.opened;
    },
    async append(entries: readonly AuditEntry[]) {
      if (!worker) throw new Error('the audit store is not open');
      const answer = answerOf(worker, patienceMs);
      const batch: Batch = batchOf(entries);
      worker.postMessage(batch, [batch.bytes.buffer]);
      const received = await answer;
      if (received.kind !== 'appended') throw new Error(reasonOf(received));
    },
    async close() {
      const closing = worker;
      worker = undefined;
      if (closing) await stop(closing, patienceMs);
    },
  };
}

/** The worker's next message; a failure when it dies or stays silent. */
function answerOf(worker: Worker, patienceMs: number): Promise<WorkerAnswer> {
  return new Promise((resolve) => {
    const settle = (answer: WorkerAnswer) => {
      clearTimeout(timer);
      worker.off('message', settle);
      worker.off('error', failed);
      worker.off('exit', exited);
      resolve(answer);
    };
    const fail = (message: string) => settle({ kind: 'failed', message });
    const failed = (error: Error) => fail(error.message);
    const exited = () => fail('the audit worker ended');
    const timer = setTimeout(() => fail(`no answer from the disk in ${patienceMs} ms`), patienceMs);
    worker.on('message', settle);
    worker.on('error', failed);
    worker.on('exit', exited);
  });
}

/** Lets the worker close the file (which folds the WAL back in); ends it when it does not. */
async function stop(worker: Worker, patienceMs: number): Promise<void> {
  if (worker.threadId === -1) return;
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const timer = setTimeout(() => void worker.terminate(), patienceMs);
  worker.postMessage(null);
  await ended;
  clearTimeout(timer);
}

function reasonOf(answer: WorkerAnswer): string {
  return answer.kind === 'failed' ? answer.message : 'unexpected answer of the audit worker';
}
