import type { Db, Statement } from '../../store/index.ts';
import {
  forgetRemoved,
  indexedIn,
  isPrinted,
  Places,
  type PostingKind,
  postingKinds,
  saidBy,
} from '../postings.ts';
import { segmentSize } from '../prints.ts';

/** Rows that are read at one go: some milliseconds. */
const rowsAtOnce = 2_048;
/** Time first: no kind is ever ahead of it. */
const slices = ['time', ...postingKinds] as const;

/**
 * Indexes the segments of the embedded store, whoever wrote them: notes what each row says soon after it was written, and
 * writes the postings of a segment once it is full, a kind at a time. Several processes may do so at once; the first one wins.
 */
export class Indexer {
  readonly #db: Db;
  readonly #read: Statement;
  readonly #last: Statement;
  readonly #places = new Places();
  #segment = 0;
  /** The next row to read. */
  #seq = 0;

  constructor(db: Db) {
    this.#db = db;
    this.#read = db.prepare(
      `SELECT seq, entry FROM records NOT INDEXED
       WHERE seq >= :from AND seq < :to ORDER BY seq LIMIT ${rowsAtOnce}`,
    );
    this.#last = db.prepare('SELECT max(seq) AS seq FROM records');
    db.transaction(() => this.#forgetBeyond(this.#lastSeq()));
    this.#begin(this.#slice().segment);
  }

  /** Full segments that are not indexed yet. */
  waiting(): number {
    return Math.floor((this.#lastSeq() + 1) / segmentSize) - this.#segment;
  }

  /** Whether there is enough to do: little by little it would cost each small commit more than the commit itself. */
  behind(): boolean {
    return this.#lastSeq() + 1 - this.#seq >= rowsAtOnce || this.waiting() > 0;
  }

  /** Reads some rows; or, when the segment is read to its end, writes the postings of one kind. */
  step(): void {
    const end = (this.#segment + 1) * segmentSize;
    if (this.#seq >= end) this.#write();
    else this.#readSome(Math.min(end, this.#lastSeq() + 1));
  }

  #readSome(to: number): void {
    const rows = this.#read.tuples({ from: this.#seq, to });
    for (const [seq, entry] of rows) {
      const said = saidBy(String(entry));
      if (said) this.#places.note(said, Number(seq) - this.#segment * segmentSize);
    }
    // There may be gaps: retention removes rows.
    this.#seq = rows.length < rowsAtOnce ? to : Number(rows.at(-1)?.[0]) + 1;
  }

  #write(): void {
    this.#db.transaction(() => {
      const { kind, segment } = this.#slice();
      // Another process was faster with all that is left.
      if (segment > this.#segment) return;
      if (kind === 'time') this.#writeSpan();
      else if (isPrinted(kind)) this.#writePrints(kind);
      else this.#writePostings(kind);
      this.#db
        .prepare('UPDATE indexed SET segments = :segments WHERE kind = :kind')
        .run({ kind, segments: segment + 1 });
    });
    const { segment } = this.#slice();
    if (segment !== this.#segment) this.#begin(segment);
  }

  #begin(segment: number): void {
    this.#places.clear();
    this.#segment = segment;
    this.#seq = segment * segmentSize;
  }

  #writeSpan(): void {
    forgetRemoved(this.#db);
    const { oldest, newest } = this.#places.span ?? { oldest: '', newest: '' };
    this.#db
      .prepare('INSERT INTO segments (segment, oldest, newest) VALUES (:segment, :oldest, :newest)')
      .run({ segment: this.#segment, oldest, newest });
  }

  #writePrints(kind: PostingKind): void {
    const prints = this.#places.printsOf(kind)?.bytes() ?? null;
    this.#db
      .prepare('INSERT INTO prints (kind, segment, prints) VALUES (:kind, :segment, :prints)')
      .run({ kind, segment: this.#segment, prints });
  }

  #writePostings(kind: PostingKind): void {
    let json = '';
    for (const [term, places] of this.#places.of(kind)) json += `,${JSON.stringify(term)}:"[${places}]"`;
    // Sorted, so that pages are filled one after the other.
    this.#db
      .prepare(
        `INSERT INTO postings (segment, kind, term, places)
         SELECT :segment, :kind, key, value FROM json_each(:json) ORDER BY key`,
      )
      .run({ segment: this.#segment, kind, json: `{${json.slice(1)}}` });
  }

  /** The next one to do. */
  #slice(): { kind: PostingKind | 'time'; segment: number } {
    const indexed = indexedIn(this.#db);
    const segment = Math.min(...slices.map((kind) => indexed.get(kind) ?? 0));
    return { kind: slices.find((kind) => (indexed.get(kind) ?? 0) === segment) ?? 'time', segment };
  }

  /** Where the newest entries are gone, their places are given again: what was known of them must not stay. */
  #forgetBeyond(lastSeq: number): void {
    const segments = Math.floor((lastSeq + 1) / segmentSize);
    const ahead = this.#db.prepare('SELECT 1 FROM indexed WHERE segments > :segments');
    if (ahead.get({ segments }) === undefined) return;
    for (const sql of [
      'UPDATE indexed SET segments = :segments WHERE segments > :segments',
      'DELETE FROM postings WHERE segment >= :segments',
      'DELETE FROM prints WHERE segment >= :segments',
      'DELETE FROM segments WHERE segment >= :segments',
    ]) {
      this.#db.prepare(sql).run({ segments });
    }
  }

  #lastSeq(): number {
    return Number(this.#last.get()?.['seq'] ?? 0);
  }
}
