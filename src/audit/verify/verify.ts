import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Log, messageOf, OperationError, silentLog } from '../../base/index.ts';
import { chainStart } from '../chain.ts';
import { checkpointDirectory } from '../create.ts';
import { readAuditKeys } from '../keys.ts';
import { type Checkpoint, notesIn, openCheckpoint, parseVerifierKey, type VerifierKey } from '../note.ts';
import type { AuditStore } from '../read/open.ts';
import type { WriterHead } from '../sinks/sink.ts';
import { ChainCheck, type ChainReport } from './chains.ts';
import type { Finding } from './finding.ts';
import { postgresToVerify } from './postgres.ts';
import type { ValuesCompared } from './postgres-values.ts';
import { sqliteToVerify } from './sqlite.ts';
import type { VerifyStore } from './store.ts';

export interface VerifyOptions {
  /** Files with saved checkpoints, beside those in the data directory. */
  readonly checkpoints?: readonly string[];
  /** A file with public keys, one a line, instead of the data directory's own. */
  readonly keys?: string;
  readonly log?: Log;
  /** Holds all of PostgreSQL's index of values against the entries; 16 stretches of it unless given. */
  readonly wholeIndex?: boolean;
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
  /** What retention removed, as the trail itself says under a signed checkpoint: all of a chain up to a position. */
  readonly removed: readonly WriterHead[];
  /** How much of PostgreSQL's index of values was held against the entries; null where there is none. */
  readonly valueIndex: ValuesCompared | null;
}

/** Of the index of values: some 6,000 entries, in a few seconds. */
const stretchesByDefault = 16;

const nowhere = { writer: null, position: null };

/**
 * Reads the whole trail and says what was done to it since it was written, as far as that can be known.
 * @throws OperationError when there is no trail, or no key to verify with
 */
export async function verifyAudit(place: AuditStore, options: VerifyOptions = {}): Promise<Verification> {
  const keys =
    options.keys === undefined ? readAuditKeys(place.dataDir).verifiers : keysIn(readText(options.keys));
  const { dataDir, postgres } = place;
  // Before the store is looked at, which has whatever was signed until then: a gateway goes on signing.
  const notes = savedNotes(dataDir, options.checkpoints ?? []);
  const store = postgres
    ? await postgresToVerify({ url: postgres.url, log: options.log ?? silentLog, keys })
    : sqliteToVerify({ dataDir, keys });
  try {
    const check = (await store.inParallel?.()) ?? (await readInOrder(store, keys));
    for (const fault of await store.schemaFaults()) check.find('schema', nowhere, fault);
    await store.beside?.(check);
    const removed = check.removed();
    check.compareBeginnings(removed);
    const saved = savedCheckpoints(notes, { keys, check });
    for (const head of [...check.links, ...saved]) await compareLink(head, { store, check, removed });
    const most = options.wholeIndex === true ? Number.POSITIVE_INFINITY : stretchesByDefault;
    const valueIndex = (await store.values?.(check, most)) ?? null;
    return { ...report(check), removed: [...removed.values()], checkpoints: saved.length, valueIndex };
  } finally {
    await store.close();
  }
}

function report(check: ChainCheck): Omit<Verification, 'checkpoints' | 'removed' | 'valueIndex'> {
  const { chains, findings, findingCount, entries } = check;
  // The last checkpoint is itself an entry: it is what vouches, and nobody vouches for it.
  const unsealed = chains.reduce((sum, { last, sealed }) => sum + Math.max(0, last - sealed - 1), 0);
  const ok = findingCount === 0;
  return { ok, entries, chains, findings, findingCount, orphans: check.orphans(), unsealed };
}

async function readInOrder(store: VerifyStore, keys: readonly VerifierKey[]): Promise<ChainCheck> {
  const check = new ChainCheck(keys);
  try {
    await store.rows(
      (row) => check.row(row),
      (kind, at, message) => check.find(kind, at, message),
    );
  } catch (error) {
    check.find('unreadable', nowhere, `the store cannot be read to its end: ${messageOf(error)}`);
  }
  return check;
}

interface Reading {
  readonly keys: readonly VerifierKey[];
  readonly check: ChainCheck;
}

interface SavedNote {
  readonly file: string;
  readonly note: string;
}

function savedNotes(dataDir: string, files: readonly string[]): SavedNote[] {
  const directory = checkpointDirectory(dataDir);
  const own = existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.endsWith('.note'))
        .map((name) => join(directory, name))
    : [];
  return [...own, ...files].flatMap((file) => notesIn(readText(file)).map((note) => ({ file, note })));
}

function savedCheckpoints(notes: readonly SavedNote[], { keys, check }: Reading): Checkpoint[] {
  return notes.flatMap(({ file, note }) => {
    const opened = openCheckpoint(note, keys);
    if (typeof opened !== 'string') return [opened];
    check.find('signature', nowhere, `a checkpoint in ${file} is not vouched for: ${opened}`);
    return [];
  });
}

interface Linked {
  readonly store: VerifyStore;
  readonly check: ChainCheck;
  readonly removed: ReadonlyMap<string, WriterHead>;
}

/** What a checkpoint or another chain has pinned must be there, or have been removed by retention. */
async function compareLink(
  pinned: WriterHead & { readonly time?: string },
  { store, check, removed }: Linked,
): Promise<void> {
  const { writer, position, hash } = pinned;
  const hashAt = async (at: number) => (at === 0 ? chainStart(writer) : store.hashAt(writer, at));
  const gone = removed.get(writer)?.position ?? 0;
  const found = await hashAt(position);
  const at = { writer, position };
  const when = pinned.time === undefined ? 'named by a later chain' : `signed at ${pinned.time}`;
  if (found === hash) {
    // A checkpoint is told elsewhere once its own entry, the next one, is durable.
    if (pinned.time !== undefined && gone <= position && (await hashAt(position + 1)) === null) {
      check.find('truncated', at, `ends at entry ${position}, without the checkpoint that was ${when}`);
    }
    return;
  }
  if (found !== null) {
    const kind = pinned.time === undefined ? 'rewritten' : 'forked';
    check.find(kind, at, `entry ${position} is not the one that was ${when}: the chain was written anew`);
    return;
  }
  if (gone >= position) return;
  const last = check.lastOf(writer);
  if (last < position) check.find('truncated', at, `ends at entry ${last}; entry ${position} was ${when}`);
}

function keysIn(text: string): VerifierKey[] {
  const keys = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const key = parseVerifierKey(line);
      if (!key)
        throw new OperationError('the file of keys holds a line that is no public key of an audit trail');
      return key;
    });
  if (keys.length === 0) throw new OperationError('the file of keys holds no key');
  return keys;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new OperationError(`cannot read ${file}: ${messageOf(error)}`);
  }
}
