// Runs in a worker thread: checks stretches of the embedded store, one for each message.
import { parentPort, workerData } from 'node:worker_threads';
import type { Db } from '../../store/index.ts';
import type { StoredRow } from '../entry-text.ts';
import type { VerifierKey } from '../note.ts';
import { openTrail } from '../query.ts';
import { ChainCheck } from './chains.ts';
import type { ChainEndpoint } from './part.ts';
import { faultsOfFile } from './sqlite-beside.ts';
import { type Beginnings, beginningsOf, type Range, SqliteRows } from './sqlite-rows.ts';
import type { VerifyAnswer } from './workers.ts';

export interface VerifySettings {
  readonly dataDir: string;
  readonly keys: readonly VerifierKey[];
  /** In the view of the store of whoever asks. */
  readonly beginnings: Beginnings;
}

/** A stretch of rows; or the file itself, whose indexes may contradict its tables. Null ends the worker. */
export type VerifyQuestion = Range | 'file' | null;

function serve(port: NonNullable<typeof parentPort>, { dataDir, keys, beginnings }: VerifySettings): void {
  const db = openTrail(dataDir);
  // One view of the store, so that retention takes nothing away between two stretches.
  db.exec('BEGIN');
  const rows = new SqliteRows(db);
  const before = endsBefore(db);
  // Retention that went on between the two views would look like a hole, so nothing is said of such a view.
  const found = beginningsOf(db);
  const isSameView = [...beginnings].every(([writer, position]) => found.get(writer) === position);
  port.on('message', (question: VerifyQuestion) => {
    if (question === null) {
      db.close();
      port.close();
      return;
    }
    port.postMessage(answerTo(question) satisfies VerifyAnswer);
  });

  function answerTo(question: Range | 'file'): VerifyAnswer {
    if (!isSameView) return null;
    try {
      if (question === 'file') return faultsOfFile(db).length === 0 ? 'whole' : null;
      return check(question);
    } catch {
      return null;
    }
  }

  function check(range: Range): VerifyAnswer {
    const chains = new ChainCheck(keys, (row) => before(row, range));
    let found = false;
    rows.between(
      range,
      (row) => chains.row(row),
      () => {
        found = true;
      },
    );
    return found || chains.findingCount > 0 ? null : chains.part();
  }
}

/** What stands before a row in its chain, where that is before the stretch. */
function endsBefore(db: Db): (row: StoredRow, range: Range) => ChainEndpoint | null {
  const find = db.prepare(
    `SELECT seq, position, lower(hex(hash)) AS hash FROM records
     WHERE writer = (SELECT id FROM writers WHERE writer = :writer) AND position < :position
     ORDER BY position DESC LIMIT 1`,
  );
  return ({ writer, position }, { from }) => {
    const found = find.get({ writer, position });
    if (!found || Number(found['seq']) >= from) return null;
    return { position: Number(found['position']), hash: String(found['hash']) };
  };
}

// Last: what it uses is defined above.
if (parentPort) serve(parentPort, workerData as VerifySettings);
