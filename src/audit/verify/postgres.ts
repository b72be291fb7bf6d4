import { type Log, messageOf, OperationError, type Secret } from '../../base/index.ts';
import type { Postgres } from '../../store/index.ts';
import { hexOf } from '../entry-text.ts';
import type { VerifierKey } from '../note.ts';
import { compareBeside } from './postgres-beside.ts';
import { connectToVerify } from './postgres-connection.ts';
import { checkInParallel } from './postgres-parallel.ts';
import { PgRows } from './postgres-rows.ts';
import { schemaFaults } from './postgres-schema-faults.ts';
import { compareValues } from './postgres-values.ts';
import type { VerifyStore } from './store.ts';

const nowhere = { writer: null, position: null };

export interface PostgresToVerify {
  readonly url: Secret;
  readonly log: Log;
  readonly keys: readonly VerifierKey[];
}

/** @throws OperationError when there is no trail or it cannot be read */
export async function postgresToVerify({ url, log, keys }: PostgresToVerify): Promise<VerifyStore> {
  const database = await connectToVerify(url, log);
  try {
    const { rows } = await database.query("SELECT to_regclass('portcullis.records') IS NOT NULL AS there");
    if (!(rows[0]?.['there'] as unknown)) throw new OperationError(`no audit trail in ${database.place}`);
    // On the one connection: all that follows sees the store as it is now. Before that view is taken, its tables are held: retention
    // drops those that it has emptied, and their rows with them, though the view has them still.
    await database.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await database.query('LOCK TABLE portcullis.records IN ACCESS SHARE MODE');
    return storeOf(database, { url, keys });
  } catch (error) {
    await database.close();
    if (error instanceof OperationError) throw error;
    throw new OperationError(`cannot read the audit trail in ${database.place}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function storeOf(database: Postgres, { url, keys }: Omit<PostgresToVerify, 'log'>): VerifyStore {
  return {
    schemaFaults: () => schemaFaults(database),
    inParallel: () => checkInParallel(database, { url, keys }),
    async values(check, most) {
      const find = (message: string) => check.find('index', nowhere, message);
      try {
        return await compareValues(database, { most, find });
      } catch (error) {
        find(`the index records_values cannot be asked: ${messageOf(error)}`);
        return { compared: 0, of: 0 };
      }
    },
    beside: (check) => compareBeside(database, check),
    rows: async (take, find) => (await PgRows.over(database)).between({ from: null, to: null }, take, find),
    async hashAt(writer, position) {
      const { rows } = await database.query(
        'SELECT hash FROM records WHERE writer = (SELECT id FROM writers WHERE writer = $1) AND position = $2',
        [writer, position],
      );
      return rows[0] ? hexOf(rows[0]['hash']) : null;
    },
    close: () => database.close(),
  };
}
