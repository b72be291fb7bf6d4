// Runs in a worker thread, so that waiting for the disk never holds up a request.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/index.ts';
import { type Db, openDb, type Row, type SqlValue, type Statement } from '../../store/index.ts';
import { auditMigrations, columns } from '../schema.ts';

export interface WorkerSettings {
  readonly file: string;
  readonly writer: string;
  readonly busyTimeoutMs: number;
  /** Cap on the file; 0 for none. */
  readonly maxBytes: number;
}

/** Answers of the worker: one `opened` or `failed` first, then one `appended` or `failed` for each batch. */
export type WorkerAnswer =
  | { readonly kind: 'opened'; readonly position: number }
  | { readonly kind: 'appended' }
  | { readonly kind: 'failed'; readonly message: string };

if (parentPort) serve(parentPort, workerData as WorkerSettings);

function serve(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const answer = (message: WorkerAnswer) => port.postMessage(message);
  try {
    const db = open(settings);
    const writer = register(db, settings.writer);
    const insert = prepareInsert(db);
    answer({ kind: 'opened', position: lastPosition(db, writer) });
    port.on('message', (batch: string | null) => {
      if (batch === null) {
        db.close();
        port.close();
        return;
      }
      answer(append({ db, insert, writer, batch }));
    });
  } catch (error) {
    answer({ kind: 'failed', message: messageOf(error) });
    port.close();
  }
}

function open(settings: WorkerSettings): Db {
  const db = openDb(settings.file, auditMigrations, { busyTimeoutMs: settings.busyTimeoutMs });
  if (settings.maxBytes > 0) {
    const pageSize = Number(db.prepare('PRAGMA page_size').get()?.['page_size'] ?? 4_096);
    db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(settings.maxBytes / pageSize))}`);
  }
  return db;
}

function register(db: Db, writer: string): number {
  return db.transaction(() => {
    db.prepare('INSERT INTO writers (writer) VALUES (:writer) ON CONFLICT DO NOTHING').run({ writer });
    return Number(db.prepare('SELECT id FROM writers WHERE writer = :writer').get({ writer })?.['id']);
  });
}

function lastPosition(db: Db, writer: number): number {
  const found = db
    .prepare('SELECT max(position) AS position FROM records WHERE writer = :writer')
    .get({ writer });
  return Number(found?.['position'] ?? 0);
}

function prepareInsert(db: Db): Statement {
  const names = ['writer', ...columns];
  const places = names.map((name) => `:${name}`);
  return db.prepare(`INSERT INTO records (${names.join(', ')}) VALUES (${places.join(', ')})`);
}

function append(work: { db: Db; insert: Statement; writer: number; batch: string }): WorkerAnswer {
  try {
    const rows = JSON.parse(work.batch) as SqlValue[][];
    const parameters: Row = { writer: work.writer };
    work.db.transaction(() => {
      for (const values of rows) {
        for (let index = 0; index < columns.length; index += 1) {
          parameters[columns[index] as string] = values[index] ?? null;
        }
        work.insert.run(parameters);
      }
    });
    return { kind: 'appended' };
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}
