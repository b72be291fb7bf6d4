// Runs in a worker thread, so that waiting for the disk never holds up a request.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/index.ts';
import { type Db, openDb, type Statement } from '../../store/index.ts';
import { auditMigrations } from '../schema.ts';
import type { ChainHead, Opened, WriterHead } from './sink.ts';
import { type Batch, insertStatement, rowsOf } from './sqlite-batch.ts';
import { Indexer } from './sqlite-indexer.ts';

export interface WorkerSettings {
  readonly file: string;
  readonly writer: string;
  readonly busyTimeoutMs: number;
  /** Cap on the file; 0 for none. */
  readonly maxBytes: number;
}

/** Other chains that a new one names. */
const mostOthers = 30;

/** Answers of the worker: one `opened` or `failed` first (after `migrating`, where that takes its time), then one `appended` or `failed` for each batch. */
export type WorkerAnswer =
  | { readonly kind: 'opened'; readonly opened: Opened }
  | { readonly kind: 'migrating' }
  | { readonly kind: 'appended' }
  | { readonly kind: 'failed'; readonly message: string };

function serve(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const answer = (message: WorkerAnswer) => port.postMessage(message);
  try {
    const db = open(settings, () => answer({ kind: 'migrating' }));
    const writer = register(db, settings.writer);
    const insert = prepare(db);
    const index = indexing(db);
    answer({ kind: 'opened', opened: { ...headOf(db, writer), others: othersThan(db, writer) } });
    port.on('message', (batch: Batch | null) => {
      if (batch === null) {
        db.close();
        port.close();
        return;
      }
      answer(append({ db, insert, writer, batch }));
      index();
    });
  } catch (error) {
    answer({ kind: 'failed', message: messageOf(error) });
    port.close();
  }
}

/**
 * Brings the index up to date after an append: one step, then whatever came in meanwhile, and so on. Under a load that leaves no
 * pause it does as much as has come in, so that what is not indexed stays small.
 */
function indexing(db: Db): () => void {
  const indexer = new Indexer(db);
  let isScheduled = false;
  return function index() {
    try {
      if (!indexer.behind()) return;
      do indexer.step();
      while (indexer.waiting() > 1);
      if (isScheduled || !indexer.behind()) return;
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        index();
      });
    } catch {
      // Full or locked: the next append tries again. Queries read through what is not indexed.
    }
  };
}

function open(settings: WorkerSettings, migrating: () => void): Db {
  const db = openMigrated(settings, migrating);
  // Longer WAL and larger cache than SQLite's defaults: under load a checkpoint is what a caller waits for.
  db.exec('PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -32768; PRAGMA trusted_schema = OFF');
  if (settings.maxBytes > 0) {
    const pageSize = Number(db.prepare('PRAGMA page_size').get()?.['page_size'] ?? 4_096);
    db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(settings.maxBytes / pageSize))}`);
  }
  return db;
}

function openMigrated({ file, busyTimeoutMs }: WorkerSettings, beforeMigration: () => void): Db {
  try {
    return openDb(file, auditMigrations, { busyTimeoutMs, pageSize: 8_192, beforeMigration });
  } catch (error) {
    if (!messageOf(error).includes('already exists')) throw error;
    throw new Error('it was written before records were chained: move it away, and keep it', {
      cause: error,
    });
  }
}

function register(db: Db, writer: string): number {
  return db.transaction(() => {
    db.prepare('INSERT INTO writers (writer) VALUES (:writer) ON CONFLICT DO NOTHING').run({ writer });
    return Number(db.prepare('SELECT id FROM writers WHERE writer = :writer').get({ writer })?.['id']);
  });
}

function headOf(db: Db, writer: number): ChainHead {
  const found = db
    .prepare(
      `SELECT position, hash FROM records WHERE writer = :writer
       UNION ALL SELECT through, hash FROM removals WHERE writer = :writer ORDER BY position DESC LIMIT 1`,
    )
    .get({ writer });
  if (!found) return { position: 0, hash: null };
  return {
    position: Number(found['position']),
    hash: Buffer.from(found['hash'] as Uint8Array).toString('hex'),
  };
}

function othersThan(db: Db, writer: number): WriterHead[] {
  return db
    .prepare(
      `SELECT writers.writer, position, hash FROM writers JOIN records ON records.writer = writers.id
         AND position = (SELECT max(position) FROM records WHERE writer = writers.id)
       WHERE writers.id <> :writer ORDER BY seq DESC LIMIT :most`,
    )
    .all({ writer, most: mostOthers })
    .map((row) => ({
      writer: String(row['writer']),
      position: Number(row['position']),
      hash: Buffer.from(row['hash'] as Uint8Array).toString('hex'),
    }));
}

interface Statements {
  readonly record: Statement;
  readonly openCall: Statement;
  readonly closeCall: Statement;
}

function prepare(db: Db): Statements {
  return {
    record: insertStatement(db),
    openCall: db.prepare(
      'INSERT OR REPLACE INTO open_calls (request_id, seq) VALUES (?, last_insert_rowid())',
    ),
    closeCall: db.prepare('DELETE FROM open_calls WHERE request_id = ?'),
  };
}

interface Append {
  readonly db: Db;
  readonly insert: Statements;
  readonly writer: number;
  readonly batch: Batch;
}

function append({ db, insert, writer, batch }: Append): WorkerAnswer {
  try {
    db.transaction(() => {
      for (const { phase, requestId, values } of rowsOf(batch)) {
        insert.record.run([writer, ...values]);
        if (phase === 'intent') insert.openCall.run([requestId]);
        else if (phase === 'outcome') insert.closeCall.run([requestId]);
      }
    });
    return { kind: 'appended' };
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}

// Last: what it uses is defined above.
if (parentPort) serve(parentPort, workerData as WorkerSettings);
