import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, OperationError } from '../base/index.ts';
import { type Db, openDb } from '../store/index.ts';
import { chainStart } from './chain.ts';
import { checkpointDirectory } from './create.ts';
import { readAuditKeys } from './keys.ts';
import { notesIn, openCheckpoint, parseVerifierKey, type VerifierKey } from './note.ts';
import { openTrail } from './query.ts';
import { auditMigrations } from './schema.ts';
import type { WriterHead } from './sinks/sink.ts';
import { ChainCheck, type ChainReport, type Finding } from './verify-chains.ts';
import { ColumnCheck, checkedColumns } from './verify-columns.ts';

export interface VerifyOptions {
  /** Files with saved checkpoints, beside those in the data directory. */
  readonly checkpoints?: readonly string[];
  /** A file with public keys, one a line, instead of the data directory's own. */
  readonly keys?: string;
}

export interface Verification {
  readonly ok: boolean;
  readonly entries: number;
  readonly chains: readonly ChainReport[];
  /** At most 1,000; `findingCount` counts all. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  /** Saved checkpoints that were compared. */
  readonly checkpoints: number;
  /** Calls whose fate nobody knows. While a gateway runs, its running calls are among them. */
  readonly orphans: readonly { requestId: string; writer: string; position: number; noticed: boolean }[];
  /** Entries after the last checkpoint of their chain. */
  readonly unsealed: number;
}

/**
 * Reads the whole trail and says what was done to it since it was written, as far as that can be known.
 * @throws OperationError when there is no trail, or no key to verify with
 */
export function verifyAudit(dataDir: string, options: VerifyOptions = {}): Verification {
  const keys = options.keys === undefined ? readAuditKeys(dataDir).verifiers : keysIn(options.keys);
  const db = openTrail(dataDir);
  const check = new ChainCheck(keys);
  try {
    // One view of the store: what a gateway writes meanwhile is left for the next time.
    db.exec('BEGIN');
    compareSchema(db, check);
    readRows(db, check);
    const saved = savedCheckpoints(dataDir, options.checkpoints ?? [], { keys, check });
    for (const head of [...check.links, ...saved]) compareLink(db, check, head);
    compareRemovals(check);
    return { ...report(check), checkpoints: saved.length };
  } finally {
    db.close();
  }
}

function report(check: ChainCheck): Omit<Verification, 'checkpoints'> {
  const { chains, findings, findingCount, entries } = check;
  // The last checkpoint is itself an entry: it is what vouches, and nobody vouches for it.
  const unsealed = chains.reduce((sum, { last, sealed }) => sum + Math.max(0, last - sealed - 1), 0);
  return {
    ok: findingCount === 0,
    entries,
    chains,
    findings,
    findingCount,
    orphans: check.orphans(),
    unsealed,
  };
}

/** A table, index or trigger that is not as it was made makes queries say something else than the entries do. */
function compareSchema(db: Db, check: ChainCheck): void {
  const fresh = openDb(':memory:', auditMigrations);
  const made = schemaOf(fresh);
  const found = schemaOf(db);
  fresh.close();
  for (const name of new Set([...made.keys(), ...found.keys()])) {
    if (made.get(name) === found.get(name)) continue;
    const what = !found.has(name) ? 'is gone' : made.has(name) ? 'was changed' : 'was added';
    check.find('schema', { writer: null, position: null }, `${name} of the database ${what}`);
  }
}

function schemaOf(db: Db): Map<string, string> {
  const rows = db.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").all();
  return new Map(rows.map(({ type, name, sql }) => [`${String(type)} ${String(name)}`, String(sql)]));
}

function readRows(db: Db, check: ChainCheck): void {
  const rows = db
    .prepare(
      `SELECT coalesce(writers.writer, '?' || records.writer) AS writer, position, entry, hash, ${checkedColumns}
       FROM records LEFT JOIN writers ON writers.id = records.writer ORDER BY seq`,
    )
    .iterate();
  let at = { writer: '', position: 0 };
  const columns = new ColumnCheck(db, (kind, message) => check.find(kind, at, message));
  try {
    for (const row of rows) {
      at = { writer: String(row['writer']), position: Number(row['position']) };
      columns.row(row);
      check.row({
        writer: String(row['writer']),
        position: Number(row['position']),
        text: String(row['entry']),
        hash: hexOf(row['hash']),
      });
    }
    columns.end();
  } catch (error) {
    const message = `the store cannot be read to its end: ${messageOf(error)}`;
    check.find('unreadable', { writer: null, position: null }, message);
  }
}

function hexOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}

interface Reading {
  readonly keys: readonly VerifierKey[];
  readonly check: ChainCheck;
}

function savedCheckpoints(
  dataDir: string,
  files: readonly string[],
  { keys, check }: Reading,
): (WriterHead & { time: string })[] {
  const directory = checkpointDirectory(dataDir);
  const own = existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.endsWith('.note'))
        .map((name) => join(directory, name))
    : [];
  return [...own, ...files].flatMap((file) =>
    notesIn(readText(file)).flatMap((note) => {
      const opened = openCheckpoint(note, keys);
      if (typeof opened !== 'string') return [opened];
      const message = `a checkpoint in ${file} is not vouched for: ${opened}`;
      check.find('signature', { writer: null, position: null }, message);
      return [];
    }),
  );
}

/** What a checkpoint or another chain has pinned must be there, or have been removed by retention. */
function compareLink(db: Db, check: ChainCheck, pinned: WriterHead & { time?: string }): void {
  const { writer, position, hash } = pinned;
  const found = hashAt(db, writer, position);
  const at = { writer, position };
  const when = pinned.time === undefined ? 'named by a later chain' : `signed at ${pinned.time}`;
  if (found === hash) {
    // A checkpoint is told elsewhere once its own entry, the next one, is durable.
    if (pinned.time !== undefined && hashAt(db, writer, position + 1) === null) {
      check.find('truncated', at, `ends at entry ${position}, without the checkpoint that was ${when}`);
    }
    return;
  }
  if (found !== null) {
    const kind = pinned.time === undefined ? 'rewritten' : 'forked';
    check.find(kind, at, `entry ${position} is not the one that was ${when}: the chain was written anew`);
    return;
  }
  if (check.removedThrough(writer) >= position) return;
  const last = check.chain(writer)?.last ?? 0;
  if (last < position) check.find('truncated', at, `ends at entry ${last}; entry ${position} was ${when}`);
}

function hashAt(db: Db, writer: string, position: number): string | null {
  if (position === 0) return chainStart(writer);
  const row = db
    .prepare(
      `SELECT hash FROM records WHERE position = :position
         AND writer = (SELECT id FROM writers WHERE writer = :writer)`,
    )
    .get({ writer, position });
  return row ? hexOf(row['hash']) : null;
}

/** A chain may begin later than at 1 only where the trail itself says that retention removed what was before. */
function compareRemovals(check: ChainCheck): void {
  for (const { writer, first } of check.chains) {
    if (first === 1 || check.removedThrough(writer) >= first - 1) continue;
    const message = `entries 1 to ${first - 1} are gone, and no retention is on record`;
    check.find('removed', { writer, position: first - 1 }, message);
  }
}

function keysIn(file: string): VerifierKey[] {
  const keys = readText(file)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const key = parseVerifierKey(line);
      if (!key) throw new OperationError(`${file} holds a line that is no public key of an audit trail`);
      return key;
    });
  if (keys.length === 0) throw new OperationError(`${file} holds no key`);
  return keys;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new OperationError(`cannot read ${file}: ${messageOf(error)}`);
  }
}
