import type { Db } from '../store/index.ts';
import type { TextColumn } from './columns.ts';
import { Prints, segmentSize } from './prints.ts';
import type { AuditFilter } from './query.ts';
import { isResultClass } from './results.ts';

/**
 * How the embedded store finds entries by a value. An index that is kept up with every insert costs more than all the rest of the
 * insert together: its keys are anywhere. Here entries are written bare, and each stretch of `segmentSize` of them is indexed at
 * one go once it is full. `postings` says, for a kind and a value, where in the segment it stands; of kinds whose values are nearly
 * all different, `prints` has a fingerprint for each place, four bytes instead of the value. All that is written is appended. What is
 * not indexed yet, a segment or two, is read through.
 */

interface Posted {
  /** Nearly every entry has a value of its own. */
  readonly printed?: boolean;
  /** A value that nobody looks for by this column: it is in nearly every entry. */
  readonly common?: string;
  /** Intents too. Queries look for outcomes and events. */
  readonly intents?: boolean;
}

/** Columns with postings, the most telling first. */
const posted = {
  request_id: { intents: true, printed: true },
  arguments_hash: { printed: true },
  token_id: { printed: true },
  token_ref: {},
  reason: { common: 'ok' },
  result: { common: 'success' },
  result_class: { common: 'success' },
  address: {},
  subject: {},
  client_id: {},
  tool_name: {},
  organization: {},
} as const satisfies Partial<Record<TextColumn, Posted>>;

export type PostingKind = keyof typeof posted;

export const postingKinds = Object.keys(posted) as readonly PostingKind[];

export function isPrinted(kind: PostingKind): boolean {
  const { printed = false }: Posted = posted[kind];
  return printed;
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
    token_ref: filter.tokenRef,
    reason: reason === 'ok' ? undefined : reason,
    [isResultClass(result ?? '') ? 'result_class' : 'result']: result === 'success' ? undefined : result,
    address: filter.address,
    subject: filter.subject,
    client_id: filter.client,
    tool_name: filter.tool,
    organization: filter.organization,
  };
  return postingKinds.flatMap((kind) => {
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

/** What an entry says; null where its text is no JSON, which nobody of ours wrote. */
export type Said = Readonly<Record<string, unknown>>;

export function saidBy(entry: string): Said | null {
  try {
    return JSON.parse(entry) as Said;
  } catch {
    return null;
  }
}

/** What an entry is found by; null where it is not found by this kind. */
export function postedTerm(kind: PostingKind, said: Said): string | null {
  const { common = '', intents = false }: Posted = posted[kind];
  const term = said[kind];
  if (typeof term !== 'string' || term === '' || term === common) return null;
  return intents || said['phase'] !== 'intent' ? term : null;
}

/** Where each value stands in one segment, as it is read. */
export class Places {
  readonly #kinds = postingKinds.map((kind) => {
    return { kind, terms: new Map<string, string>(), prints: isPrinted(kind) ? new Prints() : null };
  });
  /** Of timestamps. Null before the first row. */
  span: { readonly oldest: string; readonly newest: string } | null = null;

  note(said: Said, place: number): void {
    const time = String(said['timestamp'] ?? '');
    const { oldest, newest } = this.span ?? { oldest: time, newest: time };
    if (!this.span || time < oldest || time > newest) {
      this.span = { oldest: time < oldest ? time : oldest, newest: time > newest ? time : newest };
    }
    for (const { kind, terms, prints } of this.#kinds) {
      const term = postedTerm(kind, said);
      if (term === null) continue;
      if (prints) {
        prints.set(place, term);
        continue;
      }
      const before = terms.get(term);
      terms.set(term, before === undefined ? String(place) : `${before},${place}`);
    }
  }

  /** Null for kinds that have postings. */
  printsOf(kind: PostingKind): Prints | null {
    return this.#kinds.find((one) => one.kind === kind)?.prints ?? null;
  }

  /** By value, its places with commas between. */
  of(kind: PostingKind): ReadonlyMap<string, string> {
    return this.#kinds.find((one) => one.kind === kind)?.terms ?? new Map();
  }

  clear(): void {
    this.span = null;
    for (const { terms, prints } of this.#kinds) {
      terms.clear();
      prints?.clear();
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
  db.prepare('DELETE FROM prints WHERE segment = :segment').run({ segment });
  db.prepare('DELETE FROM segments WHERE segment = :segment').run({ segment });
  return true;
}
