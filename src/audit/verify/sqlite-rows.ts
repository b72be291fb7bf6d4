import type { Db, Statement } from '../../store/index.ts';
import { embeddedColumns } from '../columns.ts';
import type { StoredRow } from '../entry-text.ts';
import { saidBy } from '../postings.ts';
import { ColumnCheck } from './columns.ts';
import type { BesideFound } from './store.ts';

/** Rows that are in memory at once. */
const rowsAtOnce = 2_048;

/** Where the columns beside the text begin in what is read of a row. */
const firstBeside = 5;

/** What stands in the place of a byte that is no UTF-8. */
const replacement = '\ufffd';

/** Where each chain begins, by its writer's number: what goes with time goes from there. */
export type Beginnings = ReadonlyMap<number, number | null>;

export function beginningsOf(db: Db): Beginnings {
  const rows = db
    .prepare('SELECT id, (SELECT min(position) FROM records WHERE records.writer = writers.id) FROM writers')
    .tuples();
  return new Map(rows.map(([id, first]) => [Number(id), first === null ? null : Number(first)]));
}

export interface Range {
  readonly from: number | bigint;
  readonly to: number | bigint;
}

/** Whatever number somebody gave a row. */
export const allRows: Range = { from: -(2n ** 63n), to: 2n ** 63n - 1n };

/** The rows of the embedded store in the order of `seq`, and what beside its text contradicts one. */
export class SqliteRows {
  readonly #db: Db;
  readonly #read: Statement;
  readonly #bytes: Statement;
  readonly #writers: ReadonlyMap<string, string>;

  constructor(db: Db) {
    this.#db = db;
    this.#read = db.prepare(
      `SELECT seq, writer, position, entry,
         CASE typeof(hash) WHEN 'blob' THEN lower(hex(hash)) ELSE hash END, ${embeddedColumns.join(', ')}
       FROM records NOT INDEXED WHERE seq >= :from AND seq <= :to ORDER BY seq LIMIT ${rowsAtOnce}`,
    );
    this.#bytes = db.prepare('SELECT CAST(entry AS BLOB) AS bytes FROM records WHERE seq = :seq');
    const writers = db.prepare('SELECT CAST(id AS TEXT) AS id, writer FROM writers').all();
    this.#writers = new Map(writers.map(({ id, writer }) => [String(id), String(writer)]));
  }

  /** `from` and `to` are both read. */
  between(range: Range, take: (row: StoredRow) => void, find: BesideFound): void {
    let at = { writer: '', position: 0 };
    const columns = new ColumnCheck(this.#db, (kind, message) => find(kind, at, message));
    let { from } = range;
    for (;;) {
      const rows = this.#read.tuples({ from, to: range.to });
      for (const row of rows) {
        // By place: taking a list apart costs as much as hashing the text.
        const seq = Number(row[0]);
        from = seq + 1;
        const text = String(row[3]);
        at = { writer: this.#writers.get(String(row[1])) ?? `?${row[1]}`, position: Number(row[2]) };
        if (text.includes(replacement) && !this.#isText(seq, text)) {
          find('edited', at, `row ${seq} has bytes that are no text`);
        }
        const said = saidBy(text);
        // No JSON: the chain says so.
        if (said) columns.row({ seq, said, row, beside: firstBeside });
        take({ ...at, text, hash: String(row[4]), said });
      }
      if (rows.length < rowsAtOnce) break;
    }
  }

  /** Another byte in the place of such a character reads the same, and hashes the same. */
  #isText(seq: number, text: string): boolean {
    const bytes = this.#bytes.get({ seq })?.['bytes'];
    return bytes instanceof Uint8Array && Buffer.from(text).equals(bytes);
  }
}
