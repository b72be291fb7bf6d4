import type { Row, SqlValue } from '../../store/index.ts';
import { chainStart } from '../chain.ts';
import {
  dataIn,
  hexOf,
  isEvent,
  isPhase,
  orphanedEvent,
  receivedAtIn,
  type StoredRow,
} from '../entry-text.ts';
import type { VerifierKey } from '../note.ts';
import type { AuditSource } from '../read/source.ts';
import type { WriterHead } from '../sinks/sink.ts';
import { headsIn, type Removal, removedIn } from './removal.ts';
import { Stretch } from './stretch.ts';

// What retention may remove. Read alone; the same statements for SQLite and PostgreSQL.

export interface Plan {
  readonly removals: readonly Removal[];
  /** Removed earlier, by entries that go now: has to be said once more. */
  readonly restated: readonly WriterHead[];
  /** Chains of which nothing goes, although it is old: they are not as they were written. */
  readonly kept: readonly { readonly writer: string; readonly reason: string }[];
}

export interface PlanOptions {
  readonly run: AuditSource['run'];
  readonly ofRequest: AuditSource['ofRequest'];
  /** RFC 3339 in UTC: what was sealed before may go. */
  readonly before: string;
  /** The chain of this process: never removed to its end. Null for none. */
  readonly self: string | null;
  readonly keys: readonly VerifierKey[];
}

interface Chain {
  /** Number of the writer in the store. */
  readonly id: number;
  readonly writer: string;
}

const pageRows = 2_000;
/** An intent, an outcome, and what else names the call. */
const mostOfRequest = 100;
const checkpoints = "phase <> 'intent' AND event = 'audit.checkpoint'";

/** Per chain: as far as it is sealed, old enough, as it was written, and free of calls that nobody has heard of again. */
export async function planRemovals(options: PlanOptions): Promise<Plan> {
  const planner = new Planner(options);
  const removals = new Map<string, Removal>();
  for (const whole of await planner.endings()) removals.set(whole.writer, whole);
  for (const { end, ...chain } of await planner.sealed()) {
    if (removals.has(chain.writer)) continue;
    const found = await planner.upToCheckpoint(chain, end);
    if (found) removals.set(chain.writer, found);
  }
  const restated = await planner.restated(removals);
  return { removals: [...removals.values()], restated, kept: planner.kept };
}

class Planner {
  readonly #options: PlanOptions;
  readonly kept: { writer: string; reason: string }[] = [];

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  #run(sql: string, parameters: Readonly<Record<string, SqlValue>> = {}): Promise<Row[]> {
    return this.#options.run({ sql, parameters });
  }

  /** Chains with a checkpoint that says that it is old enough, and where the newest such is. */
  async sealed(): Promise<(Chain & { readonly end: number })[]> {
    const rows = await this.#run(
      `SELECT records.writer AS id, writers.writer AS writer, max(position) AS position
       FROM records JOIN writers ON writers.id = records.writer
       WHERE ${checkpoints} AND timestamp < :before GROUP BY records.writer, writers.writer`,
      { before: this.#options.before },
    );
    return rows.map((row) => ({
      id: Number(row['id']),
      writer: String(row['writer']),
      end: Number(row['position']),
    }));
  }

  /** Up to the entry before a checkpoint, which stays. */
  async upToCheckpoint(chain: Chain, end: number): Promise<Removal | null> {
    const stretch = await this.#read(chain, end);
    if (!stretch) return null;
    const blocked = await this.#firstOpen(stretch);
    const checkpoint = stretch.checkpoints.findLast((position) => position <= blocked) ?? 0;
    if (!stretch.first || checkpoint <= stretch.first.position) return null;
    const row = await this.#rowAt(chain, checkpoint - 1);
    return row && this.#removal(stretch, row, 'checkpoint');
  }

  /** Chains that have ended, whole: another chain names the end, under a checkpoint of its own that is old enough. */
  async endings(): Promise<Removal[]> {
    const rows = await this.#run(
      `SELECT records.writer AS id, writers.writer AS writer, position, entry
       FROM records JOIN writers ON writers.id = records.writer
       WHERE phase <> 'intent' AND event = 'audit.chain_started' AND position = 1 AND timestamp < :before`,
      { before: this.#options.before },
    );
    const found = new Map<string, Removal>();
    for (const row of rows) {
      const by = { id: Number(row['id']), writer: String(row['writer']) };
      const heads = await this.#present(headsIn(dataIn(String(row['entry']))), found);
      if (heads.length === 0 || !(await this.#isVouchedFor(by))) continue;
      for (const { chain, end } of heads) {
        const whole = await this.#whole(chain, end);
        if (whole) found.set(chain.writer, whole);
      }
    }
    return [...found.values()];
  }

  /** Of the heads, those that are where a chain ends. */
  async #present(
    heads: readonly WriterHead[],
    found: ReadonlyMap<string, unknown>,
  ): Promise<{ chain: Chain; end: StoredRow }[]> {
    const present: { chain: Chain; end: StoredRow }[] = [];
    for (const { writer, position, hash } of heads) {
      if (found.has(writer) || writer === this.#options.self) continue;
      const [row] = await this.#run(
        `SELECT writer AS id, position, entry, hash FROM records
         WHERE writer = (SELECT id FROM writers WHERE writer = :writer) ORDER BY position DESC LIMIT 1`,
        { writer },
      );
      if (!row) continue;
      const end = storedRow(writer, row);
      if (end.position === position && end.hash === hash) {
        present.push({ chain: { id: Number(row['id']), writer }, end });
      }
    }
    return present;
  }

  /** Whether the first entry of a chain is under a signed checkpoint that is old enough. */
  async #isVouchedFor(chain: Chain): Promise<boolean> {
    const [row] = await this.#run(
      `SELECT min(position) AS position FROM records WHERE ${checkpoints} AND timestamp < :before AND writer = :id`,
      { before: this.#options.before, id: chain.id },
    );
    const position = Number(row?.['position'] ?? 0);
    return position > 0 && ((await this.#read(chain, position))?.checkpoints.length ?? 0) > 0;
  }

  async #whole(chain: Chain, end: StoredRow): Promise<Removal | null> {
    const stretch = await this.#read(chain, end.position);
    if (!stretch || (await this.#firstOpen(stretch)) <= end.position) return null;
    return this.#removal(stretch, end, 'chain');
  }

  #removal(stretch: Stretch, end: StoredRow, sealedBy: Removal['sealedBy']): Removal | null {
    const { writer, position, hash, text } = end;
    const from = stretch.first?.position ?? position + 1;
    const newest = receivedAtIn(text);
    if (from > position || newest >= this.#options.before) return null;
    return { writer, from, position, hash, oldest: stretch.oldest, newest, sealedBy };
  }

  /** Null when nothing is there, or when it is not as it was written. */
  async #read(chain: Chain, end: number): Promise<Stretch | null> {
    const [first] = await this.#run('SELECT min(position) AS position FROM records WHERE writer = :id', {
      id: chain.id,
    });
    const from = Number(first?.['position'] ?? 0);
    if (from === 0 || from > end) return null;
    const start = from === 1 ? chainStart(chain.writer) : await this.#removedBefore(chain, from);
    const stretch = new Stretch({ keys: this.#options.keys, before: this.#options.before, start });
    for (let after = from - 1; after < end && !stretch.fault && !stretch.isForeign; after += pageRows) {
      const rows = await this.#run(
        `SELECT position, entry, hash FROM records
         WHERE writer = :id AND position > :after AND position <= :last ORDER BY position`,
        { id: chain.id, after, last: Math.min(end, after + pageRows) },
      );
      for (const row of rows) stretch.row(storedRow(chain.writer, row));
    }
    const { fault, isForeign } = stretch;
    if (isForeign) return null;
    if (!fault) return stretch;
    if (!this.kept.some(({ writer }) => writer === chain.writer)) {
      this.kept.push({ writer: chain.writer, reason: fault });
    }
    return null;
  }

  async #removedBefore({ id }: Chain, from: number): Promise<string | null> {
    const [row] = await this.#run('SELECT hash FROM removals WHERE writer = :id AND through = :through', {
      id,
      through: from - 1,
    });
    return row ? hexOf(row['hash']) : null;
  }

  /** Where the first call stands that has no outcome anywhere, and of which no start has told. */
  async #firstOpen(stretch: Stretch): Promise<number> {
    for (const [id, position] of stretch.open) {
      const rows = await this.#options.ofRequest(id, mostOfRequest);
      const texts = rows.map((row) => String(row['entry']));
      const isSettled = texts.some((text) => isPhase(text, 'outcome') || isEvent(text, orphanedEvent));
      if (!isSettled) return position;
    }
    return Number.POSITIVE_INFINITY;
  }

  async #rowAt({ id, writer }: Chain, position: number): Promise<StoredRow | null> {
    const [row] = await this.#run(
      'SELECT position, entry, hash FROM records WHERE writer = :id AND position = :position',
      { id, position },
    );
    return row ? storedRow(writer, row) : null;
  }

  /** What was removed, is not removed further now, and stands in no entry that stays. */
  async restated(going: ReadonlyMap<string, Removal>): Promise<WriterHead[]> {
    const needed = new Map<string, WriterHead>();
    const removed = await this.#run(
      `SELECT writers.writer AS writer, through, hash FROM removals JOIN writers ON writers.id = removals.writer
       ORDER BY through`,
    );
    for (const row of removed) {
      const head = {
        writer: String(row['writer']),
        position: Number(row['through']),
        hash: hexOf(row['hash']),
      };
      if (!going.has(head.writer)) needed.set(head.writer, head);
    }
    if (needed.size === 0) return [];
    const said = await this.#run(
      `SELECT writers.writer AS writer, event, position, entry
       FROM records JOIN writers ON writers.id = records.writer
       WHERE phase <> 'intent' AND event IN ('audit.removed', 'audit.removals')`,
    );
    for (const row of said) {
      if (Number(row['position']) <= (going.get(String(row['writer']))?.position ?? 0)) continue;
      for (const head of removedIn(String(row['event']), dataIn(String(row['entry'])))) {
        const position = needed.get(head.writer)?.position;
        if (position !== undefined && head.position >= position) needed.delete(head.writer);
      }
    }
    return [...needed.values()];
  }
}

function storedRow(writer: string, row: Row): StoredRow {
  return { writer, position: Number(row['position']), text: String(row['entry']), hash: hexOf(row['hash']) };
}
