import { type Postgres, readCopyField } from '../../store/index.ts';
import { textColumns } from '../columns.ts';
import type { StoredRow } from '../entry-text.ts';
import { saidBy } from '../postings.ts';
import type { ChainEndpoint } from './part.ts';
import type { BesideFound } from './store.ts';

/** Where an entry stands: the number of its writer in this database, and its position. */
export interface PgKey {
  readonly writer: number;
  readonly position: number;
}

/** All that stands after `from`, up to `to` itself; null is where everything begins or ends. */
export interface PgRange {
  readonly from: PgKey | null;
  readonly to: PgKey | null;
}

/** What stands in the place of a byte that is no UTF-8. */
const replacement = '\ufffd';
/** Of a COPY, before the entry's text. */
const copied = ['writer', 'position', 'hash', 'latency_ms', ...textColumns, 'entry'];

/** The rows in PostgreSQL, each writer's in the order of positions, and what beside its text contradicts one. */
export class PgRows {
  readonly #database: Postgres;
  /** By number, as a text. */
  readonly #writers: ReadonlyMap<string, string>;

  private constructor(database: Postgres, writers: ReadonlyMap<string, string>) {
    this.#database = database;
    this.#writers = writers;
  }

  static async over(database: Postgres): Promise<PgRows> {
    const { rows } = await database.query('SELECT id::text AS id, writer FROM writers');
    return new PgRows(database, new Map(rows.map(({ id, writer }) => [String(id), String(writer)])));
  }

  nameOf(writer: string): string {
    return this.#writers.get(writer) ?? `?${writer}`;
  }

  between(range: PgRange, take: (row: StoredRow) => void, find: BesideFound): Promise<void> {
    const sql = `COPY (SELECT ${copied.join(', ')} FROM records WHERE ${conditionOf(range)} ORDER BY writer, position, at) TO STDOUT`;
    return this.#database.copyOut(sql, (bytes) => this.#row(bytes, take, find));
  }

  /** The entry before the first of a stretch that may belong to the same chain. */
  async before({ from }: PgRange): Promise<(ChainEndpoint & { readonly writer: string }) | null> {
    if (!from) return null;
    const { rows } = await this.#database.query(
      `SELECT position, encode(hash, 'hex') AS hash FROM records WHERE writer = $1 AND position <= $2
       ORDER BY position DESC, at DESC LIMIT 1`,
      [from.writer, from.position],
    );
    const [row] = rows;
    if (!row) return null;
    const writer = this.nameOf(String(from.writer));
    return { writer, position: Number(row['position']), hash: String(row['hash']) };
  }

  #row(bytes: Buffer, take: (row: StoredRow) => void, find: BesideFound): void {
    const line = bytes.toString();
    const [writer = '', place, hash = '', latency = '', ...rest] = line.slice(0, -1).split('\t');
    const text = readCopyField(rest.pop() ?? '') ?? '';
    const at = { writer: this.nameOf(writer), position: Number(place) };
    // Another byte in the place of such a character reads the same, and hashes the same.
    if (line.includes(replacement) && !Buffer.from(line).equals(bytes)) {
      find('edited', at, `entry ${at.position} has bytes that are no text`);
    }
    const said = saidBy(text);
    take({ ...at, text, hash: hash.slice('\\\\x'.length), said });
    // No JSON: its hash tells.
    const wrong = said && contradiction(said, rest, latency);
    if (wrong) find('column', at, `entry ${at.position} has a column ${wrong} that says something else`);
  }
}

/** Columns are written beside the text here, and queries read them: they must say what it says. */
function contradiction(
  said: Readonly<Record<string, unknown>>,
  beside: readonly string[],
  latency: string,
): string | null {
  for (const [at, name] of textColumns.entries()) {
    const [is = '', should] = [beside[at], said[name] || null];
    if (is !== should && readCopyField(is) !== should) return name;
  }
  const { latency_ms: should = null } = said;
  const is = readCopyField(latency);
  return (is === null ? null : Number(is)) === should ? null : 'latency_ms';
}

function conditionOf({ from, to }: PgRange): string {
  const bounds = [
    ...(from ? [`(writer, position) > (${whole(from.writer)}, ${whole(from.position)})`] : []),
    ...(to ? [`(writer, position) <= (${whole(to.writer)}, ${whole(to.position)})`] : []),
  ];
  return ['true', ...bounds].join(' AND ');
}

/** It becomes a part of a statement. */
function whole(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error('a position of the audit trail is no whole number');
  return value;
}
