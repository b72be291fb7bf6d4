import { type Log, OperationError, type Secret } from '../../base/index.ts';
import { connectPostgres, migratePostgres, type Postgres } from '../../store/index.ts';
import { latencyOf, linesOf, textColumnOf, textColumns } from '../columns.ts';
import type { AuditEntry } from '../entry.ts';
import { pgAuditMigrations, preparePartitions } from '../postgres-schema.ts';
import type { AuditSink, ChainHead } from './sink.ts';

export interface PostgresSinkOptions {
  readonly url: Secret;
  /** Names this process's chain: a UUID. */
  readonly writer: string;
  readonly log: Log;
  /** An append that takes longer counts as a failure. 15,000 by default. */
  readonly patienceMs?: number;
}

/**
 * PostgreSQL: one statement for a batch, so one round trip and one commit (`synchronous_commit` is on). Replicas write
 * side by side, a chain each.
 */
export function postgresSink(options: PostgresSinkOptions): AuditSink {
  let open: { readonly database: Postgres; readonly chain: Chain } | null = null;
  const close = async () => {
    const closing = open;
    open = null;
    await closing?.database.close();
  };
  return {
    async open() {
      const { url, log, patienceMs = 15_000 } = options;
      const database = await connectPostgres({ url, log, connections: 2, statementMs: patienceMs });
      try {
        await migratePostgres(database, pgAuditMigrations);
        const { chain, head } = await takeChain(database, options.writer);
        open = { database, chain };
        return head;
      } catch (error) {
        await database.close();
        throw error;
      }
    },
    async append(entries) {
      if (!open) throw new Error('the audit store is not open');
      await append(open.database, open.chain, entries);
    },
    close,
  };
}

interface Chain {
  /** Number of the writer in this database. */
  readonly writer: number;
  /** Counts the times that it was opened. */
  readonly epoch: number;
}

/**
 * Where the chain ends. Waits for an append that is under way, by the lock of the head's row; one that reaches the server
 * later is of an older epoch.
 */
async function takeChain(database: Postgres, writer: string): Promise<{ chain: Chain; head: ChainHead }> {
  return database.transaction(async (queries) => {
    await queries.query('SELECT pg_advisory_xact_lock(hashtext($1))', ['portcullis audit partitions']);
    await preparePartitions(queries);
    const { query } = queries;
    await query('INSERT INTO portcullis.writers (writer) VALUES ($1) ON CONFLICT DO NOTHING', [writer]);
    await query(
      `INSERT INTO portcullis.heads (writer, position, hash, epoch, at)
       SELECT id, 0, NULL, 0, now() FROM portcullis.writers WHERE writer = $1 ON CONFLICT DO NOTHING`,
      [writer],
    );
    const { rows } = await query(
      `UPDATE portcullis.heads SET epoch = epoch + 1
       WHERE writer = (SELECT id FROM portcullis.writers WHERE writer = $1)
       RETURNING writer, epoch, position, hash`,
      [writer],
    );
    const [row] = rows;
    if (!row) throw new OperationError(`${database.place} has no place for this writer`);
    const hash = row['hash'] instanceof Uint8Array ? Buffer.from(row['hash']).toString('hex') : null;
    return {
      chain: { writer: Number(row['writer']), epoch: Number(row['epoch']) },
      head: { position: Number(row['position']), hash },
    };
  });
}

const columns = ['entry', 'hash', 'latency_ms', ...textColumns];

/** The column in a parameter: a line each, an empty one for null. Values have no newline: `linesOf` sees to it. */
const lines = (parameter: number) => `string_to_array($${parameter}, E'\\n', '')`;

/** $1 writer, $2 epoch, $3 position before, $4 position after, $5 hash after, then one text for each column. */
const appendSql = `
  WITH head AS (
    UPDATE portcullis.heads SET position = $4, hash = $5, at = greatest(at, clock_timestamp())
    WHERE writer = $1 AND epoch = $2 AND position = $3
    RETURNING at
  ), added AS (
    INSERT INTO portcullis.records (at, writer, position, ${columns.join(', ')})
    SELECT head.at, $1, $3 + new.ordinal, new.entry, decode(new.hash, 'hex'), new.latency_ms::float8,
           ${textColumns.map((column) => `new.${column}`).join(', ')}
    FROM head, unnest(${columns.map((_, index) => lines(index + 6)).join(', ')})
      WITH ORDINALITY AS new (${columns.join(', ')}, ordinal)
    RETURNING phase, request_id
  ), begun AS (
    INSERT INTO portcullis.open_calls (request_id)
    SELECT DISTINCT request_id FROM added WHERE phase = 'intent'
      AND request_id NOT IN (SELECT request_id FROM added WHERE phase = 'outcome')
    ON CONFLICT DO NOTHING
  ), ended AS (
    DELETE FROM portcullis.open_calls USING added
    WHERE added.phase = 'outcome' AND open_calls.request_id = added.request_id
  )
  SELECT count(*) AS added FROM added`;

async function append(database: Postgres, chain: Chain, entries: readonly AuditEntry[]): Promise<void> {
  const [first, last] = [entries[0], entries.at(-1)];
  if (!first || !last) return;
  const { rows } = await database.query(appendSql, [
    chain.writer,
    chain.epoch,
    first.position - 1,
    last.position,
    Buffer.from(last.hash, 'hex'),
    ...textsOf(entries),
  ]);
  if (Number(rows[0]?.['added']) === entries.length) return;
  throw new Error('the chain does not end where this append begins: another connection has it');
}

/** One text for each column: no value has to be quoted, here or there, and the statement stays the same. */
function textsOf(entries: readonly AuditEntry[]): string[] {
  return [
    linesOf(entries, ({ text }) => text),
    linesOf(entries, ({ hash }) => hash),
    linesOf(entries, latencyOf),
    ...textColumns.map((column) => linesOf(entries, (entry) => textColumnOf(entry, column))),
  ];
}
