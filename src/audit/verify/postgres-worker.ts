// Runs in a worker thread: checks stretches of the trail in PostgreSQL, one for each message.
import { parentPort, workerData } from 'node:worker_threads';
import { Secret, silentLog } from '../../base/index.ts';
import type { VerifierKey } from '../note.ts';
import { ChainCheck } from './chains.ts';
import { connectToVerify } from './postgres-connection.ts';
import { type PgRange, PgRows } from './postgres-rows.ts';
import type { VerifyAnswer } from './workers.ts';

export interface PgVerifySettings {
  /** With the password: a thread is handed no `Secret`. */
  readonly url: string;
  readonly keys: readonly VerifierKey[];
  /** The view of the database that all threads share. */
  readonly snapshot: string;
}

function serve(port: NonNullable<typeof parentPort>, { url, keys, snapshot }: PgVerifySettings): void {
  const opened = open(new Secret(url), snapshot);
  let answered = opened.then(() => {});
  port.on('message', (range: PgRange) => {
    // In the order of the questions.
    answered = answered
      .then(async () => check(await opened, range))
      .catch(() => null)
      .then((answer) => port.postMessage(answer satisfies VerifyAnswer));
  });

  async function check(rows: PgRows, range: PgRange): Promise<VerifyAnswer> {
    const before = await rows.before(range);
    const chains = new ChainCheck(keys, (row) => (row.writer === before?.writer ? before : null));
    let found = false;
    await rows.between(
      range,
      (row) => chains.row(row),
      () => {
        found = true;
      },
    );
    return found || chains.findingCount > 0 ? null : chains.part();
  }
}

async function open(url: Secret, snapshot: string): Promise<PgRows> {
  const database = await connectToVerify(url, silentLog);
  await database.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await database.query(`SET TRANSACTION SNAPSHOT '${snapshot.replaceAll("'", "''")}'`);
  return PgRows.over(database);
}

// Last: what it uses is defined above.
if (parentPort) serve(parentPort, workerData as PgVerifySettings);
