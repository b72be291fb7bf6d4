import type { Row, SqlValue } from '../../store/index.ts';
import type { AuditFilter, AuditQuery, StoredEntry } from '../query.ts';
import type { WriterPresence } from './presence.ts';
import type { Place } from './sqlite-page.ts';

/** One statement that both stores understand. Parameters are `:name`. */
export interface Named {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, SqlValue>>;
}

/** How far somebody has read. Made by `mark` and `after`; opaque to everybody else. */
export type Mark = ReadonlyMap<string, number>;

/** A trail, for reading alone: in the embedded store or in PostgreSQL. */
export interface AuditSource {
  /** For people: a file, or host and database. */
  readonly place: string;
  /** SQL for a field of an entry in the table `records`. */
  field(name: string): string;
  run(statement: Named): Promise<Row[]>;
  /** One page of a query: rows for `entryOf`. Each store finds them by indexes of its own kind. */
  page(query: AuditQuery, place: Place): Promise<Row[]>;
  /** Rows of the entries that name a request, in the order of commits. */
  ofRequest(requestId: string, count: number): Promise<Row[]>;
  /** The end of the trail as it is now. */
  mark(): Promise<Mark>;
  /** What was written after a mark, oldest first, in pages: the same mark comes back when there is nothing. */
  after(mark: Mark, filter: AuditFilter): Promise<{ readonly entries: StoredEntry[]; readonly mark: Mark }>;
  /** Of processes that write from other machines; absent where there can be none. */
  presence?(writers: readonly string[]): Promise<ReadonlyMap<string, WriterPresence>>;
  close(): Promise<void>;
}
