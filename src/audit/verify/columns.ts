import type { Db, Row } from '../../store/index.ts';
import { textColumns } from '../columns.ts';
import {
  allPostingKinds,
  type Indexed,
  indexedIn,
  isPosted,
  type PostingKind,
  segmentSize,
} from '../postings.ts';

/** What `ColumnCheck` reads of a row. One text for all columns: a row with twenty values costs more to fetch than to check. */
export const checkedColumns = `seq, latency_ms, ${textColumns.map((name) => `coalesce(${name}, '')`).join(' || char(10) || ')} AS columns`;

type Find = (kind: 'column' | 'index', message: string) => void;
type Texts = Readonly<Record<string, string | null>>;

/**
 * Columns and postings are for queries, and the text decides: but a query that is led astray by them hides an entry, so they are
 * held against the text. Rows come in the order of `seq`. What the postings have too much hides nothing: retention leaves it.
 */
export class ColumnCheck {
  readonly #db: Db;
  readonly #find: Find;
  readonly #indexed: Indexed;
  #segment = 0;
  /** Of the segment that is being read: where each value stands. */
  readonly #places = new Map<PostingKind, Map<string, number[]>>();
  #span: { oldest: string; newest: string } | null = null;

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
    const said = textsIn(String(row['entry']));
    if (!said) return; // no JSON: the chain says so
    const expected = textColumns.map((name) => said.texts[name] ?? '').join('\n');
    if (row['columns'] !== expected || row['latency_ms'] !== said.latency) {
      this.#find('column', `row ${seq} has a column that says something else than its entry`);
    }
    this.#note(said.texts, seq - segment * segmentSize);
  }

  /** Compares the segment that was read last. */
  end(): void {
    if (this.#span) this.#compareSpan(this.#span);
    this.#span = null;
    for (const [kind, places] of this.#places) {
      if (this.#segment < (this.#indexed.get(kind) ?? 0)) this.#comparePostings(kind, places);
    }
    this.#places.clear();
  }

  #note(texts: Texts, place: number): void {
    const time = texts['timestamp'] ?? '';
    this.#span ??= { oldest: time, newest: time };
    if (time < this.#span.oldest) this.#span.oldest = time;
    if (time > this.#span.newest) this.#span.newest = time;
    for (const kind of allPostingKinds) {
      if (!isPosted(kind, texts)) continue;
      const ofKind = this.#places.get(kind) ?? new Map<string, number[]>();
      this.#places.set(kind, ofKind);
      const term = texts[kind] ?? '';
      const places = ofKind.get(term);
      if (places) places.push(place);
      else ofKind.set(term, [place]);
    }
  }

  #compareSpan({ oldest, newest }: { oldest: string; newest: string }): void {
    if (this.#segment >= (this.#indexed.get('time') ?? 0)) return;
    const found = this.#db
      .prepare('SELECT oldest, newest FROM segments WHERE segment = :segment')
      .get({ segment: this.#segment });
    if (found && String(found['oldest']) <= oldest && String(found['newest']) >= newest) return;
    this.#find('index', `queries by time pass over entries of segment ${this.#segment}`);
  }

  #comparePostings(kind: PostingKind, expected: ReadonlyMap<string, number[]>): void {
    const stored = new Map<string, string>();
    const rows = this.#db
      .prepare('SELECT term, places FROM postings WHERE segment = :segment AND kind = :kind')
      .iterate({ segment: this.#segment, kind });
    for (const { term, places } of rows) stored.set(String(term), String(places));
    for (const [term, places] of expected) {
      const found = stored.get(term);
      if (found === `[${places.join(',')}]` || holdsAll(found, places)) continue;
      this.#find('index', `queries by ${kind} pass over entries of segment ${this.#segment}`);
      return;
    }
  }
}

function holdsAll(found: string | undefined, places: readonly number[]): boolean {
  if (found === undefined) return false;
  try {
    const known = new Set(JSON.parse(found) as unknown[]);
    return places.every((place) => known.has(place));
  } catch {
    return false;
  }
}

function textsIn(entry: string): { texts: Texts; latency: number | null } | null {
  try {
    const said = JSON.parse(entry) as Record<string, unknown>;
    const texts: Record<string, string | null> = {};
    for (const name of textColumns) {
      const value = said[name];
      texts[name] = typeof value === 'string' && value !== '' ? value : null;
    }
    const latency = said['latency_ms'];
    return { texts, latency: typeof latency === 'number' ? latency : null };
  } catch {
    return null;
  }
}
