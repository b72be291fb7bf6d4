// Runs in a worker thread of its own: planning reads, and removing writes, and no call waits for either.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/index.ts';
import { type Db, openDb } from '../../store/index.ts';
import { parseVerifierKey } from '../note.ts';
import { forgetRemoved } from '../postings.ts';
import type { Named } from '../read/source.ts';
import { rowsOfRequest } from '../read/sqlite-page.ts';
import { auditMigrations } from '../schema.ts';
import type { WriterHead } from '../sinks/sink.ts';
import { type Plan, planRemovals } from './plan.ts';

export interface RetentionSettings {
  readonly file: string;
  /** Of this process. */
  readonly self: string | null;
  /** Public keys that checkpoints are verified with, as notes write them. */
  readonly keys: readonly string[];
}

export type RetentionQuestion =
  | { readonly kind: 'plan'; readonly before: string }
  | { readonly kind: 'release'; readonly heads: readonly WriterHead[] }
  | { readonly kind: 'removeSome' };

export type RetentionAnswer =
  | { readonly kind: 'planned'; readonly plan: Plan }
  | { readonly kind: 'released' }
  | { readonly kind: 'removed'; readonly count: number }
  | { readonly kind: 'failed'; readonly message: string };

/** In one transaction: some milliseconds for which an append may have to wait. */
const rowsAtOnce = 200;

function serve(port: NonNullable<typeof parentPort>, settings: RetentionSettings): void {
  let db: Db | undefined;
  port.on('message', (question: RetentionQuestion | null) => {
    if (question === null) {
      db?.close();
      port.close();
      return;
    }
    void Promise.resolve()
      .then(() => {
        db ??= open(settings.file);
        return answerTo(question, db, settings);
      })
      .catch((error: unknown): RetentionAnswer => ({ kind: 'failed', message: messageOf(error) }))
      .then((answer) => port.postMessage(answer));
  });
}

function open(file: string): Db {
  const db = openDb(file, auditMigrations);
  // What is removed is overwritten: free pages would keep it readable.
  db.exec('PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF');
  return db;
}

async function answerTo(
  question: RetentionQuestion,
  db: Db,
  settings: RetentionSettings,
): Promise<RetentionAnswer> {
  if (question.kind === 'plan') {
    const run = async ({ sql, parameters }: Named) => db.prepare(sql).all(parameters);
    const keys = settings.keys.map(parseVerifierKey).filter((key) => key !== null);
    const { before } = question;
    const ofRequest = async (id: string, count: number) => rowsOfRequest(db, id, count);
    return {
      kind: 'planned',
      plan: await planRemovals({ run, ofRequest, before, self: settings.self, keys }),
    };
  }
  if (question.kind === 'release') {
    db.transaction(() => release(db, question.heads));
    return { kind: 'released' };
  }
  const count = db.transaction(() => removeSome(db));
  if (count === 0) while (db.transaction(() => forgetRemoved(db)));
  return { kind: 'removed', count };
}

function release(db: Db, heads: readonly WriterHead[]): void {
  const insert = db.prepare(
    `INSERT INTO removals (writer, through, hash) SELECT id, :through, :hash FROM writers WHERE writer = :writer
     ON CONFLICT DO NOTHING`,
  );
  for (const { writer, position, hash } of heads) {
    insert.run({ writer, through: position, hash: Buffer.from(hash, 'hex') });
  }
}

function removeSome(db: Db): number {
  const [found] = db
    .prepare(
      `SELECT writer, through, (SELECT min(position) FROM records WHERE records.writer = released.writer) AS first
       FROM (SELECT writer, max(through) AS through FROM removals GROUP BY writer) AS released
       WHERE first <= through LIMIT 1`,
    )
    .all();
  if (!found) return 0;
  const writer = Number(found['writer']);
  const first = Number(found['first']);
  const last = Math.min(Number(found['through']), first + rowsAtOnce - 1);
  const range = { writer, first, last };
  const these = 'FROM records WHERE writer = :writer AND position BETWEEN :first AND :last';
  db.prepare(
    `DELETE FROM open_calls WHERE open_calls.seq IN (SELECT records.seq ${these} AND phase = 'intent')`,
  ).run(range);
  return db.prepare(`DELETE ${these}`).run(range).changes;
}

// Last: what it uses is defined above.
if (parentPort) serve(parentPort, workerData as RetentionSettings);
