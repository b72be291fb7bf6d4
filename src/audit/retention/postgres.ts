import { type Log, messageOf, type Secret } from '../../base/index.ts';
import { connectPostgres, type PgQueries, type Postgres } from '../../store/index.ts';
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

const rowsAtOnce = 1_000;
/** A partition that is in use is dropped another time: nobody waits behind a lock that is waited for. */
const lockMs = 200;

/** PostgreSQL, on a connection of its own. A month's partition that has become empty is dropped. */
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
          await query(
            `INSERT INTO removals (writer, through, hash) SELECT id, $2, $3 FROM writers WHERE writer = $1
             ON CONFLICT DO NOTHING`,
            [writer, position, Buffer.from(hash, 'hex')],
          );
        }
      });
    },
    async removeSome() {
      const database = await connected();
      const count = await database.transaction((queries) => removeSome(queries));
      if (count === 0) await dropEmpty(database, log);
      return count;
    },
    async close() {
      await (await open)?.close();
    },
  };
}

async function removeSome({ query }: PgQueries): Promise<number> {
  const { rows } = await query(
    `SELECT writer, through, first FROM (
       SELECT writer, through, (SELECT min(position) FROM records WHERE records.writer = released.writer) AS first
       FROM (SELECT writer, max(through) AS through FROM removals GROUP BY writer) AS released) AS found
     WHERE first <= through LIMIT 1`,
  );
  const [found] = rows;
  if (!found) return 0;
  const first = Number(found['first']);
  const range = [Number(found['writer']), first, Math.min(Number(found['through']), first + rowsAtOnce - 1)];
  const these = 'FROM records WHERE writer = $1 AND position BETWEEN $2 AND $3';
  await query(
    `DELETE FROM open_calls WHERE request_id IN (SELECT request_id ${these} AND phase = 'intent')`,
    range,
  );
  return (await query(`DELETE ${these}`, range)).count;
}

/** Partitions of months that are over, and of which nothing is left. */
async function dropEmpty(database: Postgres, log: Log): Promise<void> {
  const { rows } = await database.query(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'portcullis.records'::regclass AND c.relname ~ '^records_[0-9]{6}$'
       AND c.relname < 'records_' || to_char(now() - interval '1 day', 'YYYYMM') ORDER BY 1`,
  );
  for (const { name } of rows) {
    try {
      await database.transaction(async ({ query }) => {
        const { rows: left } = await query(`SELECT EXISTS (SELECT FROM ${String(name)}) AS any`);
        if (left[0]?.['any'] as unknown) return;
        await query(`SET LOCAL lock_timeout = ${lockMs}`);
        // Nothing comes in any more: a row's partition is that of the server's own time.
        await query(`DROP TABLE ${String(name)}`);
      });
    } catch (error) {
      log.debug({ error: messageOf(error), partition: String(name) }, 'an empty partition stays for now');
    }
  }
}
