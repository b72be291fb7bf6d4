import type { Log, Secret } from '../../base/index.ts';
import { connectPostgres, type Postgres } from '../../store/index.ts';
import type { VerifierKey } from '../note.ts';
import { sourceOf } from '../read/postgres.ts';
import { planRemovals } from './plan.ts';
import type { RetentionStore } from './store.ts';

export interface PostgresRetentionOptions {
  readonly url: Secret;
  readonly log: Log;
  /** Of this process. */
  readonly self: string | null;
  readonly keys: readonly VerifierKey[];
}

/**
 * PostgreSQL, on a connection of its own. A month's partition that has become empty is dropped. All that changes anything is done by
 * functions of the database (postgres-schema.ts): they let a user who may only append remove as much as the owner allows.
 */
export function postgresRetention(options: PostgresRetentionOptions): RetentionStore {
  const { url, log, self, keys } = options;
  let open: Promise<Postgres> | undefined;
  const connected = () => {
    open ??= connectPostgres({ url, log, connections: 1, statementMs: 120_000, schema: 'portcullis' });
    return open;
  };
  return {
    async plan(before) {
      const database = await connected();
      const { run, ofRequest } = sourceOf(database);
      return planRemovals({ run, ofRequest, before, self, keys });
    },
    async release(heads) {
      const database = await connected();
      await database.transaction(async ({ query }) => {
        for (const { writer, position, hash } of heads) {
          await query('SELECT release($1, $2, $3)', [writer, position, Buffer.from(hash, 'hex')]);
        }
      });
    },
    async removeSome() {
      const database = await connected();
      const { rows } = await database.query('SELECT remove_some() AS count');
      const count = Number(rows[0]?.['count']);
      if (count === 0) await database.query('SELECT drop_empty()');
      return count;
    },
    async close() {
      await (await open)?.close();
    },
  };
}
