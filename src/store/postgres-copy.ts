import type { Connection, PoolClient, Submittable } from 'pg';

/** What a COPY uses of pg's connection. Its types leave these out; the package `pg-copy-streams` lives on the same. */
type CopyConnection = Connection & {
  query(sql: string): void;
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
};

export interface Copy {
  /**
   * Statements with one `COPY … FROM STDIN` among them. PostgreSQL runs them as one transaction: all or none. They take no
   * parameters, so they MUST hold no value that anybody else chose: those travel in `rows`.
   */
  readonly sql: string;
  /** In the text format of COPY (see `copyField`), in pieces of some 100 kB: larger ones cost more than they save. */
  readonly rows: readonly string[];
}

/** Resolves once the transaction is committed, to the number of rows that were copied. */
export function copyIn(client: PoolClient, copy: Copy): Promise<number> {
  return new Promise((resolve, reject) => {
    client.query(
      new CopyIn(copy, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      }),
    );
  });
}

/**
 * Gives what a `COPY … TO STDOUT` in the text format sends, a row at a time, with its newline. The bytes are gone once `take` has
 * returned. `sql` takes no parameters: it MUST hold no value that anybody else chose.
 */
export function copyOut(client: PoolClient, sql: string, take: (row: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done: Done = (error) => {
      if (error) reject(error);
      else resolve();
    };
    client.query(new CopyOut({ sql, rows: [] }, done, take));
  });
}

/** A value between two tabs; nothing is null. What the format reads as its own is escaped. */
export function copyField(value: string | null): string {
  if (value === null || value === '') return '\\N';
  return needsEscape.test(value) ? value.replace(/[\\\n\r\t]/g, escaped) : value;
}

/** The same read back: what `COPY … TO STDOUT` has between two tabs. */
export function readCopyField(field: string): string | null {
  if (!field.includes('\\')) return field;
  return field === '\\N' ? null : field.replace(/\\(.)/g, (_, letter: string) => unescaped[letter] ?? letter);
}

const needsEscape = /[\\\n\r\t]/;
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const unescaped: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
const escaped = (character: string) => escapes[character] ?? character;

type Done = (error: Error | null, count: number) => void;

/** In the shape of pg's own queries: the client calls these, each answer of the server in turn. */
class CopyIn implements Submittable {
  readonly #copy: Copy;
  #error: Error | null = null;
  #count = 0;
  /** Called once or more; by the client itself when the time is over. */
  callback: Done;

  constructor(copy: Copy, callback: Done) {
    this.#copy = copy;
    this.callback = callback;
  }

  submit(connection: Connection): void {
    (connection as CopyConnection).query(this.#copy.sql);
  }

  handleCopyInResponse(connection: Connection): void {
    // At once and whole: the server, in the middle of a transaction, never waits for a client that has gone silent.
    const to = connection as CopyConnection;
    for (const rows of this.#copy.rows) to.sendCopyFromChunk(Buffer.from(rows));
    to.endCopyFrom();
  }

  handleCommandComplete({ text }: { text: string }): void {
    if (text.startsWith('COPY ')) this.#count = Number(text.slice('COPY '.length));
  }

  handleRowDescription(): void {}

  handleDataRow(): void {}

  handleEmptyQuery(): void {}

  handleError(error: Error): void {
    this.#error ??= error;
    this.callback(error, 0);
  }

  /** After the last statement, and after an error: whatever there was is committed, or undone, now. */
  handleReadyForQuery(): void {
    if (!this.#error) this.callback(null, this.#count);
  }
}

class CopyOut extends CopyIn {
  readonly #take: (row: Buffer) => void;
  #fault: unknown = null;

  constructor(copy: Copy, callback: Done, take: (row: Buffer) => void) {
    super(copy, callback);
    this.#take = take;
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (this.#fault !== null) return;
    try {
      this.#take(chunk);
    } catch (error) {
      // Thrown on, it would end the process: all that still comes is passed over, and then the caller learns of it.
      this.#fault = error;
    }
  }

  override handleReadyForQuery(): void {
    if (this.#fault === null) super.handleReadyForQuery();
    else this.callback(this.#fault instanceof Error ? this.#fault : new Error(String(this.#fault)), 0);
  }
}
