// Runs in a worker thread, so that waiting for the disk never holds up a request.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/index.ts';
import { type Db, openDb, type Statement } from '../../store/index.ts';
import { auditMigrations } from '../schema.ts';
import type { ChainHead, Opened, WriterHead } from './sink.ts';

export interface WorkerSettings {
  readonly file: string;
  readonly writer: string;
  readonly busyTimeoutMs: number;
  /** Cap on the file; 0 for none. */
  readonly maxBytes: number;
}

/** Entries in a row, each member one string: copied from thread to thread at the speed of memory. */
export interface Batch {
  /** Position of the first. */
  readonly first: number;
  /** Initials of the phases: `ioe`. */
  readonly phases: string;
  /** Hex, 64 digits each. */
  readonly hashes: string;
  /** A line each; canonical JSON has no newline in it. */
  readonly texts: string;
  /** A line each; empty for events. */
  readonly requestIds: string;
}

const phases: Readonly<Record<string, string>> = { i: 'intent', o: 'outcome', e: 'event' };
const hashBytes = 32;
/** Other chains that a new one names. */
const mostOthers = 30;

/** Answers of the worker: one `opened` or `failed` first, then one `appended` or `failed` for each batch. */
export type WorkerAnswer =
  | { readonly kind: 'opened'; readonly opened: Opened }
  | { readonly kind: 'appended' }
  | { readonly kind: 'failed'; readonly message: string };

function serve(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const answer = (message: WorkerAnswer) => port.postMessage(message);
  try {
    const db = open(settings);
    const writer = register(db, settings.writer);
    const statements = prepare(db);
    answer({ kind: 'opened', opened: { ...headOf(db, writer), others: othersThan(db, writer) } });
    port.on('message', (batch: Batch | null) => {
      if (batch === null) {
        db.close();
        port.close();
        return;
      }
      answer(append({ db, statements, writer, batch }));
    });
  } catch (error) {
    answer({ kind: 'failed', message: messageOf(error) });
    port.close();
  }
}

function open(settings: WorkerSettings): Db {
  const db = openMigrated(settings);
  // Longer WAL and larger cache than SQLite's defaults: under load a checkpoint is what a caller waits for.
  db.exec('PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -16384; PRAGMA trusted_schema = OFF');
  if (settings.maxBytes > 0) {
    const pageSize = Number(db.prepare('PRAGMA page_size').get()?.['page_size'] ?? 4_096);
    db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(settings.maxBytes / pageSize))}`);
  }
  return db;
}

function openMigrated({ file, busyTimeoutMs }: WorkerSettings): Db {
  try {
    return openDb(file, auditMigrations, { busyTimeoutMs, pageSize: 8_192 });
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
    .prepare('SELECT position, hash FROM records WHERE writer = :writer ORDER BY position DESC LIMIT 1')
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
  readonly insert: Statement;
  readonly openCall: Statement;
  readonly closeCall: Statement;
}

function prepare(db: Db): Statements {
  return {
    insert: db.prepare('INSERT INTO records (writer, position, entry, hash) VALUES (?, ?, ?, ?)'),
    openCall: db.prepare(
      'INSERT OR REPLACE INTO open_calls (request_id, seq) VALUES (?, last_insert_rowid())',
    ),
    closeCall: db.prepare('DELETE FROM open_calls WHERE request_id = ?'),
  };
}

interface Append {
  readonly db: Db;
  readonly statements: Statements;
  readonly writer: number;
  readonly batch: Batch;
}

function append({ db, statements, writer, batch }: Append): WorkerAnswer {
  try {
    const texts = batch.texts.split('\n');
    const ids = batch.requestIds.split('\n');
    const hashes = Buffer.from(batch.hashes, 'hex');
    db.transaction(() => {
      for (const [at, text] of texts.entries()) {
        const hash = hashes.subarray(at * hashBytes, (at + 1) * hashBytes);
        const phase = phases[batch.phases[at] ?? ''] ?? null;
        statements.insert.run([writer, batch.first + at, text, hash]);
        const id = ids[at] ?? null;
        if (phase === 'intent') statements.openCall.run([id]);
        else if (phase === 'outcome') statements.closeCall.run([id]);
      }
    });
    return { kind: 'appended' };
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}

// Last: what it uses is defined above.
if (parentPort) serve(parentPort, workerData as WorkerSettings);
