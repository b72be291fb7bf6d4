import type { Db, SqlValue, Statement } from '../../store/index.ts';
import { embeddedColumns, textColumnOf } from '../columns.ts';
import type { AuditEntry } from '../entry.ts';

/** Entries in a row, on their way to the worker: one buffer that changes hands, instead of thousands of strings that are copied twice. */
export interface Batch {
  /** Position of the first. */
  readonly first: number;
  /** In UTF-8, for each entry: its hash, request and columns, a line each, an empty one for nothing; then its text. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where those two end, for each entry. */
  readonly ends: Uint32Array;
}

export interface BatchRow {
  readonly phase: string | null;
  readonly requestId: string | null;
  /** For `insertStatement`, after the writer's number. */
  readonly values: readonly SqlValue[];
}

/** The text comes as the bytes that it is. */
export function insertStatement(db: Db): Statement {
  return db.prepare(
    `INSERT INTO records (writer, position, entry, hash, ${embeddedColumns.join(', ')})
     VALUES (?, ?, CAST(? AS TEXT), ?${', ?'.repeat(embeddedColumns.length)})`,
  );
}

const linesOfEntry = embeddedColumns.length + 2;
/** Most entries have this many bytes beside their text. */
const roomForColumns = 250;

export function batchOf(entries: readonly AuditEntry[]): Batch {
  let room = 0;
  let longest = 0;
  for (const { text } of entries) {
    room += text.length + roomForColumns;
    longest = Math.max(longest, text.length);
  }
  room += longest * 3;
  let bytes = Buffer.from(new ArrayBuffer(room));
  const ends = new Uint32Array(entries.length * 2);
  let end = 0;
  for (const [at, entry] of entries.entries()) {
    const columns = columnsOf(entry);
    // In UTF-8 a UTF-16 unit takes three bytes at most.
    const most = end + (columns.length + entry.text.length) * 3;
    if (most > bytes.length) bytes = larger(bytes, most);
    end += bytes.write(columns, end);
    ends[at * 2] = end;
    end += bytes.write(entry.text, end);
    ends[at * 2 + 1] = end;
  }
  return { first: entries[0]?.position ?? 0, bytes: new Uint8Array(bytes.buffer), ends };
}

function larger(bytes: Buffer<ArrayBuffer>, needed: number): Buffer<ArrayBuffer> {
  const grown = Buffer.from(new ArrayBuffer(needed * 2));
  grown.set(bytes);
  return grown;
}

function columnsOf(entry: AuditEntry): string {
  let lines = `${entry.hash}\n${textColumnOf(entry, 'request_id') ?? ''}`;
  for (const column of embeddedColumns) lines += `\n${textColumnOf(entry, column) ?? ''}`;
  return lines;
}

/** The entries again. */
export function* rowsOf({ first, bytes, ends }: Batch): Generator<BatchRow> {
  const all = Buffer.from(bytes.buffer);
  let start = 0;
  for (let at = 0; at < ends.length; at += 2) {
    const [middle = 0, end = 0] = [ends[at], ends[at + 1]];
    const [hash = '', requestId, ...columns] = all.toString('utf8', start, middle).split('\n');
    // The trail makes every value neutral, so this never holds; if it ever did, values would move to another column.
    if (columns.length + 2 !== linesOfEntry) throw new Error('a value of an audit entry has a newline');
    const values = columns.map((value) => value || null);
    yield {
      phase: values[0] ?? null,
      requestId: requestId || null,
      values: [first + at / 2, all.subarray(middle, end), Buffer.from(hash, 'hex'), ...values],
    };
    start = end;
  }
}
