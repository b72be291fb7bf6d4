import type { Db, SqlValue } from '../../store/index.ts';
import { embeddedColumns } from '../columns.ts';
import {
  type Indexed,
  indexedIn,
  isPrinted,
  type PostingKind,
  postedTerm,
  postingKinds,
  type Said,
} from '../postings.ts';
import { Prints, segmentSize } from '../prints.ts';

/** What `ColumnCheck` reads of a row. */
interface CheckedRow {
  readonly seq: number;
  readonly said: Said;
  /** In the order of `embeddedColumns`. */
  readonly beside: readonly SqlValue[];
}

type Find = (kind: 'column' | 'index', message: string) => void;

/** What queries find at each place of a segment, by one kind. */
interface Terms {
  readonly kind: PostingKind;
  has(place: number, term: string): boolean;
}

/**
 * Columns and postings are for queries, and the text decides: but a query that is led astray by them hides an entry, so they are
 * held against the text. Rows come in the order of `seq`.
 */
export class ColumnCheck {
  readonly #db: Db;
  readonly #find: Find;
  readonly #indexed: Indexed;
  /** What is known of the segment that is being read. */
  #segment = -1;
  #terms: readonly Terms[] = [];
  #span: { readonly oldest: string; readonly newest: string } | null = null;
  readonly #found = new Set<string>();

  constructor(db: Db, find: Find) {
    this.#db = db;
    this.#find = find;
    this.#indexed = indexedIn(db);
  }

  row({ seq, said, beside }: CheckedRow): void {
    const segment = Math.floor(seq / segmentSize);
    if (segment !== this.#segment) this.#begin(segment);
    if (embeddedColumns.some((name, at) => beside[at] !== (said[name] ?? null))) {
      this.#find('column', `row ${seq} has a column that says something else than its entry`);
    }
    const time = String(said['timestamp'] ?? '');
    if (this.#span && (time < this.#span.oldest || time > this.#span.newest)) this.#passedOver('time');
    const place = seq - segment * segmentSize;
    for (const terms of this.#terms) {
      const term = postedTerm(terms.kind, said);
      if (term !== null && !terms.has(place, term)) this.#passedOver(terms.kind);
    }
  }

  /** Told once for each segment. */
  #passedOver(kind: string): void {
    if (this.#found.has(kind)) return;
    this.#found.add(kind);
    this.#find('index', `queries by ${kind} pass over entries of segment ${this.#segment}`);
  }

  #begin(segment: number): void {
    this.#segment = segment;
    this.#found.clear();
    this.#terms = postingKinds
      .filter((kind) => segment < (this.#indexed.get(kind) ?? 0))
      .map((kind) => (isPrinted(kind) ? this.#printsOf(kind) : this.#termsOf(kind)));
    this.#span = segment < (this.#indexed.get('time') ?? 0) ? this.#spanOf(segment) : null;
  }

  /** Nothing is within the span of a segment that has none. */
  #spanOf(segment: number): { oldest: string; newest: string } {
    const found = this.#db
      .prepare('SELECT oldest, newest FROM segments WHERE segment = :segment')
      .get({ segment });
    return { oldest: String(found?.['oldest'] ?? '~'), newest: String(found?.['newest'] ?? '') };
  }

  #printsOf(kind: PostingKind): Terms {
    const found = this.#db
      .prepare('SELECT prints FROM prints WHERE kind = :kind AND segment = :segment')
      .get({ kind, segment: this.#segment });
    const prints = new Prints(found?.['prints']);
    return { kind, has: (place, term) => prints.has(place, term) };
  }

  /** Read as one text: tens of thousands of short rows would cost more to fetch than all the rest. Values are neutral: they have no tab. */
  #termsOf(kind: PostingKind): Terms {
    const at = new Array<string | undefined>(segmentSize);
    const terms: Terms = { kind, has: (place, term) => at[place] === term };
    const lines = this.#db
      .prepare(
        `SELECT group_concat(term || char(9) || places, char(10)) AS lines FROM postings
         WHERE segment = :segment AND kind = :kind`,
      )
      .get({ segment: this.#segment, kind })?.['lines'];
    if (typeof lines !== 'string') return terms;
    for (const line of lines.split('\n')) {
      const tab = line.indexOf('\t');
      const term = line.slice(0, tab);
      for (const place of line.slice(tab + 2, -1).split(',')) at[Number(place)] = term;
    }
    return terms;
  }
}
