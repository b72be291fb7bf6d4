import type { Db, Row } from '../../store/index.ts';
import { embeddedColumns } from '../columns.ts';
import {
  type Indexed,
  indexedIn,
  Places,
  type PostingKind,
  postingKinds,
  saidBy,
  segmentSize,
} from '../postings.ts';

/** What `ColumnCheck` reads of a row. */
export const checkedColumns = ['seq', ...embeddedColumns].join(', ');

type Find = (kind: 'column' | 'index', message: string) => void;

/**
 * Columns and postings are for queries, and the text decides: but a query that is led astray by them hides an entry, so they are
 * held against the text. Rows come in the order of `seq`. What the postings have too much hides nothing: retention leaves it.
 */
export class ColumnCheck {
  readonly #db: Db;
  readonly #find: Find;
  readonly #indexed: Indexed;
  #segment = 0;
  /** Of the segment that is being read. */
  readonly #places = new Places();

  constructor(db: Db, find: Find) {
    this.#db = db;
    this.#find = find;
    this.#indexed = indexedIn(db);
  }

  /** @param row with `checkedColumns` and `entry` */
  row(row: Row): void {
    const seq = Number(row['seq']);
    const segment = Math.floor(seq / segmentSize);
    if (segment !== this.#segment) this.end();
    this.#segment = segment;
    const said = saidBy(String(row['entry']));
    if (!said) return; // no JSON: the chain says so
    if (embeddedColumns.some((name) => row[name] !== (said[name] ?? null))) {
      this.#find('column', `row ${seq} has a column that says something else than its entry`);
    }
    this.#places.note(said, seq - segment * segmentSize);
  }

  /** Compares the segment that was read last. */
  end(): void {
    if (this.#places.span) this.#compareSpan(this.#places.span);
    for (const kind of postingKinds) {
      if (this.#segment < (this.#indexed.get(kind) ?? 0)) this.#comparePostings(kind);
    }
    this.#places.clear();
  }

  #compareSpan({ oldest, newest }: { oldest: string; newest: string }): void {
    if (this.#segment >= (this.#indexed.get('time') ?? 0)) return;
    const found = this.#db
      .prepare('SELECT oldest, newest FROM segments WHERE segment = :segment')
      .get({ segment: this.#segment });
    if (found && String(found['oldest']) <= oldest && String(found['newest']) >= newest) return;
    this.#find('index', `queries by time pass over entries of segment ${this.#segment}`);
  }

  #comparePostings(kind: PostingKind): void {
    const expected = this.#places.of(kind);
    if (expected.size === 0) return;
    let held = 0;
    for (const line of this.#postingsOf(kind)) {
      const at = line.indexOf('\t');
      const [term, found] = [line.slice(0, at), line.slice(at + 1)];
      const places = expected.get(term);
      if (places !== undefined && (found === `[${places}]` || holdsAll(found, places))) held += 1;
    }
    if (held < expected.size) {
      this.#find('index', `queries by ${kind} pass over entries of segment ${this.#segment}`);
    }
  }

  /** As one text: tens of thousands of short rows would cost more to fetch than all the rest. Values are neutral: they have no tab. */
  #postingsOf(kind: PostingKind): string[] {
    const lines = this.#db
      .prepare(
        `SELECT group_concat(term || char(9) || places, char(10)) AS lines FROM postings
         WHERE segment = :segment AND kind = :kind`,
      )
      .get({ segment: this.#segment, kind })?.['lines'];
    return typeof lines === 'string' ? lines.split('\n') : [];
  }
}

function holdsAll(found: string, places: string): boolean {
  try {
    const known = new Set(JSON.parse(found) as unknown[]);
    return places.split(',').every((place) => known.has(Number(place)));
  } catch {
    return false;
  }
}
