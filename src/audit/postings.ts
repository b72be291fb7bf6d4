import type { Db, SqlValue } from '../store/index.ts';
import type { TextColumn } from './columns.ts';
import type { AuditFilter } from './query.ts';
import { isResultClass } from './results.ts';

/**
 * How the embedded store finds entries by a value. An index that is kept up with every insert costs more than all the rest of the
 * insert together: its keys are anywhere. Here entries are written bare, and each stretch of `segmentSize` of them is indexed at
 * one go once it is full: `postings` says, for a column and a value, where in the segment it stands. All that is
 * written is appended. What is not indexed yet, a segment or two, is read through.
 */
export const segmentSize = 16_384;

/** Columns with postings, the most telling first. `where`: entries that nobody looks for by this column are left out. */
export const postingKinds = {
  request_id: 'request_id IS NOT NULL',
  arguments_hash: "phase <> 'intent' AND arguments_hash IS NOT NULL",
  token_id: "phase <> 'intent' AND token_id IS NOT NULL",
  reason: "phase <> 'intent' AND reason <> 'ok'",
  result: "phase <> 'intent' AND result <> 'success'",
  result_class: "phase <> 'intent' AND result_class <> 'success'",
  address: "phase <> 'intent' AND address IS NOT NULL",
  subject: "phase <> 'intent' AND subject IS NOT NULL",
  client_id: "phase <> 'intent' AND client_id IS NOT NULL",
  tool_name: "phase <> 'intent' AND tool_name IS NOT NULL",
  organization: "phase <> 'intent' AND organization IS NOT NULL",
} as const satisfies Partial<Record<TextColumn, string>>;

export type PostingKind = keyof typeof postingKinds;

export const allPostingKinds = Object.keys(postingKinds) as readonly PostingKind[];

/** Whether an entry with these columns has a posting of this kind: `where`, said again for verification. */
export function isPosted(kind: PostingKind, columns: Readonly<Record<string, SqlValue>>): boolean {
  const value = columns[kind] ?? null;
  if (value === null) return false;
  if (kind === 'request_id') return true;
  if (columns['phase'] === 'intent') return false;
  return !((kind === 'reason' && value === 'ok') || (kind.startsWith('result') && value === 'success'));
}

export interface Term {
  readonly kind: PostingKind;
  readonly term: string;
}

/** What of a filter the postings answer. Empty: it is answered by walking through time, or through the events. */
export function termsOf(filter: AuditFilter): Term[] {
  const { result, reason } = filter;
  const byKind: Readonly<Partial<Record<PostingKind, string | undefined>>> = {
    request_id: filter.requestId,
    arguments_hash: filter.argumentsHash,
    token_id: filter.tokenId,
    reason: reason === 'ok' ? undefined : reason,
    [isResultClass(result ?? '') ? 'result_class' : 'result']: result === 'success' ? undefined : result,
    address: filter.address,
    subject: filter.subject,
    client_id: filter.client,
    tool_name: filter.tool,
    organization: filter.organization,
  };
  return allPostingKinds.flatMap((kind) => {
    const term = byKind[kind];
    return term === undefined ? [] : [{ kind, term }];
  });
}

/** Segments that are indexed, counted from the first, by kind; and those whose span of time is known. */
export type Indexed = ReadonlyMap<PostingKind | 'time', number>;

export function indexedIn(db: Db): Indexed {
  const rows = db.prepare('SELECT kind, segments FROM indexed').all();
  return new Map(rows.map(({ kind, segments }) => [kind as PostingKind | 'time', Number(segments)]));
}

/** Indexes what is full, a slice at a time: one column of one segment, some milliseconds. */
export class Indexer {
  readonly #db: Db;
  /** Segments that are wholly indexed, as far as this process knows. */
  #done = 0;

  constructor(db: Db) {
    this.#db = db;
  }

  /** Segments that wait, if the highest `seq` is this. */
  waiting(lastSeq: number): number {
    return Math.max(0, Math.floor((lastSeq + 1) / segmentSize) - this.#done);
  }

  /** Does one slice, or learns that another process was faster. */
  step(): void {
    this.#db.transaction(() => {
      const indexed = indexedIn(this.#db);
      const { kind, segment } = leastIndexed(indexed);
      this.#done = segment;
      const last = Number(this.#db.prepare('SELECT max(seq) AS seq FROM records').get()?.['seq'] ?? 0);
      if (this.waiting(last) === 0) return;
      const from = segment * segmentSize;
      const range = { segment, from, to: from + segmentSize };
      if (kind === 'time') {
        forgetRemoved(this.#db);
        this.#db.prepare(timeSql).run(range);
      } else this.#db.prepare(postingsSql(kind)).run({ ...range, kind });
      this.#db
        .prepare('UPDATE indexed SET segments = :segments WHERE kind = :kind')
        .run({ kind, segments: segment + 1 });
    });
  }

  /** Where the newest entries are gone, their places are given again: what was known of them must not stay. */
  forgetBeyond(lastSeq: number): void {
    const segments = Math.floor((lastSeq + 1) / segmentSize);
    const ahead = this.#db.prepare('SELECT 1 FROM indexed WHERE segments > :segments');
    if (ahead.get({ segments }) === undefined) return;
    for (const sql of [
      'UPDATE indexed SET segments = :segments WHERE segments > :segments',
      'DELETE FROM postings WHERE segment >= :segments',
      'DELETE FROM segments WHERE segment >= :segments',
    ]) {
      this.#db.prepare(sql).run({ segments });
    }
  }
}

/**
 * Takes away what is known of segments that retention has emptied. Of one segment for each call: the caller has a transaction
 * under way. @returns whether there was any
 */
export function forgetRemoved(db: Db): boolean {
  const empty = db
    .prepare(
      `SELECT segment FROM segments WHERE NOT EXISTS (
         SELECT 1 FROM records WHERE seq >= segment * ${segmentSize} AND seq < (segment + 1) * ${segmentSize}
       ) LIMIT 1`,
    )
    .get();
  if (!empty) return false;
  const segment = Number(empty['segment']);
  db.prepare('DELETE FROM postings WHERE segment = :segment').run({ segment });
  db.prepare('DELETE FROM segments WHERE segment = :segment').run({ segment });
  return true;
}

/** Time first: no kind is ever ahead of it. */
function leastIndexed(indexed: Indexed): { kind: PostingKind | 'time'; segment: number } {
  const kinds = ['time', ...allPostingKinds] as const;
  const segment = Math.min(...kinds.map((kind) => indexed.get(kind) ?? 0));
  return { kind: kinds.find((kind) => (indexed.get(kind) ?? 0) === segment) ?? 'time', segment };
}

const timeSql = `INSERT INTO segments (segment, oldest, newest)
  SELECT :segment, coalesce(min(timestamp), ''), coalesce(max(timestamp), '')
  FROM records NOT INDEXED WHERE seq >= :from AND seq < :to`;

function postingsSql(kind: PostingKind): string {
  return `INSERT INTO postings (segment, kind, term, places)
    SELECT :segment, :kind, ${kind}, json_group_array(seq - :from)
    FROM records NOT INDEXED WHERE seq >= :from AND seq < :to AND ${postingKinds[kind]} GROUP BY ${kind}`;
}
