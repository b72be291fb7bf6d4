import type { Row, SqlValue } from '../../store/index.ts';
import type { AuditFilter } from '../query.ts';
import { conditionsOf } from '../sql.ts';
import { Latencies } from './latencies.ts';
import type { AuditSource } from './source.ts';

/** How often one value came, and how it ended. */
export interface Tally {
  readonly name: string;
  readonly calls: number;
  /** Refused here, by whatever control. */
  readonly denied: number;
  /** Of the server or the tool. */
  readonly errors: number;
}

export interface ToolTally extends Tally {
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
}

export interface AuditStats {
  /** Of the calls that were counted; null where there are none. */
  readonly first: string | null;
  readonly last: string | null;
  readonly calls: number;
  readonly denied: number;
  readonly errors: number;
  readonly latency_ms: Readonly<Record<'p50' | 'p90' | 'p95' | 'p99' | 'max', number | null>>;
  readonly results: readonly { readonly name: string; readonly calls: number }[];
  /** Of what did not succeed, the commonest first. */
  readonly reasons: readonly { readonly name: string; readonly calls: number }[];
  readonly clients: readonly Tally[];
  readonly subjects: readonly Tally[];
  readonly tools: readonly ToolTally[];
}

/** Different values that are told apart, of each kind; those beyond count for the whole alone. */
const mostNames = 50_000;
const page = 5_000;
const fields = ['client_id', 'subject', 'tool_name', 'result', 'result_class', 'reason', 'latency_ms'];

/**
 * Counts the calls that ended in a period. Reads each once, by the index of the time, in bounded memory.
 * @param top how many of each kind
 */
export async function statsOf(source: AuditSource, filter: AuditFilter, top: number): Promise<AuditStats> {
  const counts = new Counts();
  let beyond: Readonly<Record<string, SqlValue>> | null = null;
  for (;;) {
    const rows = await source.run(pageOfCalls(source, filter, beyond));
    for (const row of rows) counts.add(row);
    const last = rows.at(-1);
    if (rows.length < page || !last) return counts.result(top);
    beyond = { lastTimestamp: last['timestamp'] ?? null, lastSeq: last['seq'] ?? null };
  }
}

function pageOfCalls(
  { field }: AuditSource,
  filter: AuditFilter,
  beyond: Readonly<Record<string, SqlValue>> | null,
) {
  // Where the last page ended says more than where the period begins; with both, PostgreSQL reads from there each time.
  const { since: _, ...rest } = filter;
  const { sql, parameters } = conditionsOf(beyond ? rest : filter, field);
  const columns = fields.map((name) => `${field(name)} AS ${name}`).join(', ');
  const after = beyond ? ' AND (timestamp, seq) > (:lastTimestamp, :lastSeq)' : '';
  return {
    sql: `SELECT ${columns}, timestamp, seq FROM records WHERE phase <> 'intent' AND phase = 'outcome'${sql}${after}
          ORDER BY timestamp, seq LIMIT :count`,
    parameters: { ...parameters, ...beyond, count: page },
  };
}

interface Counted {
  calls: number;
  denied: number;
  errors: number;
}

class Counts {
  readonly #all: Counted = { calls: 0, denied: 0, errors: 0 };
  readonly #results = new Map<string, Counted>();
  readonly #reasons = new Map<string, Counted>();
  readonly #clients = new Map<string, Counted>();
  readonly #subjects = new Map<string, Counted>();
  readonly #tools = new Map<string, Counted>();
  readonly #latencies = new Latencies();
  readonly #toolLatencies = new Map<string, Latencies>();
  #first: string | null = null;
  #last: string | null = null;

  add(row: Row): void {
    const kind = String(row['result_class']);
    const toolName = named(row['tool_name']);
    count(this.#all, kind);
    countIn(this.#results, named(row['result']), kind);
    if (kind !== 'success') countIn(this.#reasons, named(row['reason']), kind);
    countIn(this.#clients, named(row['client_id']), kind);
    countIn(this.#subjects, named(row['subject']), kind);
    countIn(this.#tools, toolName, kind);
    this.#first ??= named(row['timestamp']);
    this.#last = named(row['timestamp']);
    if (row['latency_ms'] === null) return;
    const ms = Number(row['latency_ms']);
    this.#latencies.add(ms);
    if (toolName !== null) this.#addToolLatency(toolName, ms);
  }

  /** A histogram is large: only tools that were called again and again get one. */
  #addToolLatency(tool: string, ms: number): void {
    let latencies = this.#toolLatencies.get(tool);
    if (!latencies) {
      if (this.#toolLatencies.size >= 1_000) return;
      latencies = new Latencies();
      this.#toolLatencies.set(tool, latencies);
    }
    latencies.add(ms);
  }

  result(top: number): AuditStats {
    const latencies = this.#latencies;
    const simple = (map: ReadonlyMap<string, Counted>) =>
      highest(map, top).map(([name, { calls }]) => ({ name, calls }));
    const tallies = (map: ReadonlyMap<string, Counted>) =>
      highest(map, top).map(([name, counted]) => ({ name, ...counted }));
    return {
      first: this.#first,
      last: this.#last,
      ...this.#all,
      latency_ms: {
        p50: latencies.at(0.5),
        p90: latencies.at(0.9),
        p95: latencies.at(0.95),
        p99: latencies.at(0.99),
        max: latencies.at(1),
      },
      results: simple(this.#results),
      reasons: simple(this.#reasons),
      clients: tallies(this.#clients),
      subjects: tallies(this.#subjects),
      tools: tallies(this.#tools).map((tally) => {
        const own = this.#toolLatencies.get(tally.name);
        const at = (part: number) => own?.at(part) ?? null;
        return { ...tally, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) };
      }),
    };
  }
}

function count(counted: Counted, kind: string): void {
  counted.calls += 1;
  if (kind.startsWith('denied')) counted.denied += 1;
  else if (kind === 'error') counted.errors += 1;
}

function countIn(map: Map<string, Counted>, name: string | null, kind: string): void {
  if (name === null) return;
  let counted = map.get(name);
  if (!counted) {
    if (map.size >= mostNames) return;
    counted = { calls: 0, denied: 0, errors: 0 };
    map.set(name, counted);
  }
  count(counted, kind);
}

function named(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function highest(map: ReadonlyMap<string, Counted>, top: number): [string, Counted][] {
  return [...map].sort(([, a], [, b]) => b.calls - a.calls).slice(0, top);
}
