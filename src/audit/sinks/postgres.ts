import { type Log, messageOf, OperationError, type Secret } from '../../base/index.ts';
import {
  connectPostgres,
  copyField,
  migratePostgres,
  type PgQueries,
  type Postgres,
} from '../../store/index.ts';
import { latencyOf, textColumnOf, textColumns } from '../columns.ts';
import type { AuditEntry } from '../entry.ts';
import { pgAuditMigrations } from '../postgres-schema.ts';
import { Presence } from './postgres-presence.ts';
import type { AuditSink, Opened, WriterHead } from './sink.ts';

export interface PostgresSinkOptions {
  readonly url: Secret;
  /** Names this process's chain: a UUID. */
  readonly writer: string;
  readonly log: Log;
  /** An append that takes longer counts as a failure. 15,000 by default. */
  readonly patienceMs?: number;
}

/**
 * PostgreSQL: one COPY for a batch, in one transaction and one commit (`synchronous_commit` is on). Replicas write
 * side by side, a chain each.
 */
export function postgresSink(options: PostgresSinkOptions): AuditSink {
  let open: { readonly database: Postgres; readonly chain: Chain; readonly presence: Presence } | null = null;
  const summary = new Summary(options.log);
  const close = async () => {
    const closing = open;
    open = null;
    await closing?.presence.close();
    await closing?.database.close();
  };
  return {
    async open() {
      const { url, log, patienceMs = 15_000 } = options;
      const database = await connectPostgres({ url, log, connections: 2, statementMs: patienceMs });
      try {
        await refuseEncoding(database);
        await migratePostgres(database, pgAuditMigrations);
        const { chain, ...head } = await takeChain(database, options.writer);
        const presence = new Presence({ url, log, writer: chain.writer });
        presence.start();
        open = { database, chain, presence };
        return head;
      } catch (error) {
        await database.close();
        throw error;
      }
    },
    async append(entries) {
      if (!open) throw new Error('the audit store is not open');
      const { database, chain } = open;
      await append(database, chain, entries);
      summary.grow(database, entries.length);
    },
    close,
  };
}

/** Anybody can have a name, or name a tool, in any script: where one cannot be written, all calls that come after it are refused. */
async function refuseEncoding({ query, place }: Postgres): Promise<void> {
  const { rows } = await query("SELECT current_setting('server_encoding') AS encoding");
  const encoding = String(rows[0]?.['encoding']);
  if (encoding === 'UTF8') return;
  throw new OperationError(
    `${place} is in ${encoding}, which cannot hold every name: make it with ENCODING 'UTF8' TEMPLATE template0`,
  );
}

/** As many are read through by each query, in about 20 ms. */
const summariseEvery = 20_000;

/**
 * Brings the index of values up to date, beside the appends. Of several replicas one does it; what none does, an autovacuum of the
 * server will do, and until then queries take longer.
 */
class Summary {
  readonly #log: Log;
  #added = 0;
  #running = false;

  constructor(log: Log) {
    this.#log = log;
  }

  grow(database: Postgres, count: number): void {
    this.#added += count;
    if (this.#running || this.#added < summariseEvery) return;
    this.#added = 0;
    this.#running = true;
    database
      .query('SELECT portcullis.summarise()')
      .catch((error: unknown) => {
        this.#log.debug({ error: messageOf(error) }, 'the index of audit values is not brought up to date');
      })
      .finally(() => {
        this.#running = false;
      });
  }
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
async function takeChain(database: Postgres, writer: string): Promise<Opened & { chain: Chain }> {
  return database.transaction(async ({ query }) => {
    await query('SELECT portcullis.prepare()');
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
      ...{ position: Number(row['position']), hash },
      others: await othersThan({ query }, Number(row['writer'])),
    };
  });
}

async function othersThan({ query }: PgQueries, writer: number): Promise<WriterHead[]> {
  const { rows } = await query(
    `SELECT writers.writer, last.position, encode(last.hash, 'hex') AS hash
     FROM (SELECT writer, at FROM portcullis.heads WHERE writer <> $1 AND position > 0 ORDER BY at DESC LIMIT $2) AS newest
       JOIN portcullis.writers ON writers.id = newest.writer
       CROSS JOIN LATERAL (SELECT position, hash FROM portcullis.records WHERE records.writer = newest.writer
         ORDER BY position DESC LIMIT 1) AS last ORDER BY newest.at DESC`,
    [writer, mostOthers],
  );
  return rows.map((row) => {
    return { writer: String(row['writer']), position: Number(row['position']), hash: String(row['hash']) };
  });
}

/** An event has room for so many. */
const mostOthers = 30;

const appendedColumns = `writer, position, hash, latency_ms, ${textColumns.join(', ')}, entry`;

/**
 * One transaction. The rows come first: while the server waits for them, the row of `heads` is free, so a client that is cut
 * off in between holds up nobody. Then the head moves, or, where it is not where this append begins, becomes null, which it
 * must not be: then nothing of it all has happened. The numbers and the hash are of our own making.
 */
function appendSql({ writer, epoch }: Chain, before: number, { position, hash }: AuditEntry): string {
  const [id, from, to] = [whole(writer), whole(before), whole(position)];
  const at = "current_setting('portcullis.at')::timestamptz";
  return `
    SELECT set_config('portcullis.at', greatest(at, clock_timestamp())::text, true) FROM portcullis.heads WHERE writer = ${id};
    COPY portcullis.records (${appendedColumns}) FROM STDIN;
    WITH added AS (
      SELECT phase, request_id FROM portcullis.records
      WHERE writer = ${id} AND position > ${from} AND position <= ${to} AND at = ${at} AND phase <> 'event'
    ), begun AS (
      INSERT INTO portcullis.open_calls (request_id)
      SELECT DISTINCT request_id FROM added WHERE phase = 'intent'
        AND request_id NOT IN (SELECT request_id FROM added WHERE phase = 'outcome')
      ON CONFLICT DO NOTHING
    )
    DELETE FROM portcullis.open_calls USING added
      WHERE added.phase = 'outcome' AND open_calls.request_id = added.request_id;
    UPDATE portcullis.heads
      SET position = CASE WHEN epoch = ${whole(epoch)} AND position = ${from} THEN ${to} END, hash = '\\x${hexadecimal(hash)}', at = ${at}
      WHERE writer = ${id}`;
}

async function append(database: Postgres, chain: Chain, entries: readonly AuditEntry[]): Promise<void> {
  const [first, last] = [entries[0], entries.at(-1)];
  if (!first || !last) return;
  const copy = { sql: appendSql(chain, first.position - 1, last), rows: rowsOf(chain, entries) };
  const count = await database.copy(copy).catch((error: unknown) => {
    const isMoved = (error as { code?: unknown }).code === notNullViolation;
    throw isMoved ? new Error(movedMessage, { cause: error }) : error;
  });
  if (count !== entries.length) throw new Error(`the database kept ${count} of ${entries.length} entries`);
}

const notNullViolation = '23502';
const movedMessage = 'the chain does not end where this append begins: another connection has it';

const entriesInPiece = 64;

function rowsOf({ writer }: Chain, entries: readonly AuditEntry[]): string[] {
  const pieces: string[] = [];
  let rows = '';
  for (const [at, entry] of entries.entries()) {
    rows += `${writer}\t${entry.position}\t\\\\x${entry.hash}\t${latencyOf(entry) ?? '\\N'}`;
    for (const column of textColumns) rows += `\t${copyField(textColumnOf(entry, column))}`;
    rows += `\t${copyField(entry.text)}\n`;
    if (at % entriesInPiece < entriesInPiece - 1) continue;
    pieces.push(rows);
    rows = '';
  }
  return rows === '' ? pieces : [...pieces, rows];
}

function whole(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error('a position of the audit trail is no whole number');
  return value;
}

function hexadecimal(value: string): string {
  if (!/^[0-9a-f]+$/.test(value)) throw new Error('a hash of the audit trail is not hexadecimal');
  return value;
}
