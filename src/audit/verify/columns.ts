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
  /** From `beside` on it has the columns, in the order of `embeddedColumns`. */
  readonly row: readonly SqlValue[];
  readonly beside: number;
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

  row({ seq, said, row, beside }: CheckedRow): void {
    const segment = Math.floor(seq / segmentSize);
    if (segment !== this.#segment) this.#begin(segment);
    if (embeddedColumns.some((name, at) => row[beside + at] !== (said[name] ?? null))) {
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
      const places = line.slice(tab + 1);
      if (isPlaces.test(places)) setPlaces(at, term, places);
    }
    return terms;
  }
}

/** As the indexer writes them. Queries would read others in another way than we do, or not at all. */
const isPlaces = /^\[(?:0|[1-9]\d{0,4})(?:,(?:0|[1-9]\d{0,4}))*\]$/;
const ZERO = 0x30;

/** Digit by digit: millions of short strings would cost more than all of the check. What lies beyond the segment belongs to no row. */
function setPlaces(at: (string | undefined)[], term: string, places: string): void {
  let place = 0;
  for (let index = 1; index < places.length; index += 1) {
    const digit = places.charCodeAt(index) - ZERO;
    // A comma and a bracket are no digits.
    if (digit >= 0 && digit <= 9) {
      place = place * 10 + digit;
      continue;
    }
    if (place < segmentSize) at[place] = term;
    place = 0;
  }
}
