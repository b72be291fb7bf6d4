// Runs in a worker thread, so that waiting for the disk never holds up a request.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/index.ts';
import { type Db, openDb, type SqlValue, type Statement } from '../../store/index.ts';
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
    const statements = prepare(db);
    answer({ kind: 'opened', position: lastPosition(db, writer) });
    port.on('message', (batch: string | null) => {
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
  const db = openDb(settings.file, auditMigrations, { busyTimeoutMs: settings.busyTimeoutMs });
  // Longer WAL and larger cache than SQLite's defaults: under load a checkpoint is what a caller waits for.
  db.exec('PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -16384; PRAGMA trusted_schema = OFF');
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

interface Statements {
  readonly insert: Statement;
  readonly openCall: Statement;
  readonly closeCall: Statement;
}

function prepare(db: Db): Statements {
  const places = columns.map(() => '?').join(', ');
  return {
    insert: db.prepare(`INSERT INTO records (writer, ${columns.join(', ')}) VALUES (?, ${places})`),
    openCall: db.prepare(
      'INSERT OR REPLACE INTO open_calls (request_id, seq) VALUES (?, last_insert_rowid())',
    ),
    closeCall: db.prepare('DELETE FROM open_calls WHERE request_id = ?'),
  };
}

const phaseAt = columns.indexOf('phase');
const requestIdAt = columns.indexOf('request_id');

interface Append {
  readonly db: Db;
  readonly statements: Statements;
  readonly writer: number;
  /** JSON of rows of values in the order of `columns`. */
  readonly batch: string;
}

function append({ db, statements, writer, batch }: Append): WorkerAnswer {
  try {
    const rows = JSON.parse(batch) as SqlValue[][];
    db.transaction(() => {
      for (const values of rows) {
        statements.insert.run([writer, ...values]);
        const requestId = values[requestIdAt] ?? null;
        if (values[phaseAt] === 'intent') statements.openCall.run([requestId]);
        else if (values[phaseAt] === 'outcome') statements.closeCall.run([requestId]);
      }
    });
    return { kind: 'appended' };
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}
