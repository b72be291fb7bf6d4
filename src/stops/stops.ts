import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type Log, messageOf, OperationError } from '../base/index.ts';
import { compileStops, type Matcher, type Stoppable } from './matcher.ts';
import type { StopPlace, StopReading } from './place.ts';
import type { Stop } from './stop.ts';

/** The kill switch as the gateway asks it: from memory, at every call. */
export interface Stops {
  /** The stop that hits a call; `unknown` while nobody can say whether there is one; null when there is none. */
  find(call: Stoppable): Stop | 'unknown' | null;
  /** The stop that takes a tool out of lists, or null. */
  findTool(server: string, tool: string): Stop | null;
  /** Called after stops were added or lifted: what runs may have to end. */
  onChange(listener: (change: StopChange) => void): void;
  close(): Promise<void>;
}

export interface StopChange {
  readonly stopped: readonly Stop[];
  readonly resumed: readonly Stop[];
}

export interface StopsOptions {
  /** In the data directory. Without it nobody knows what is stopped: fails closed. */
  readonly file: StopPlace;
  /** What replicas share; null where there is one machine. While it is away, what was known last holds. */
  readonly shared: StopPlace | null;
  readonly clock: Clock;
  readonly log: Log;
  /** A place could not be read, or can be read again. */
  readonly onState?: (state: {
    readonly place: string;
    readonly readable: boolean;
    readonly detail: string | null;
  }) => void;
}

/** A stop is in force everywhere within a second: it is looked for this often, in each place. */
const everyMs = 200;
/** The file may be unreadable for so long before calls are refused. */
const graceMs = 1_000;
const closeWithinMs = 2_000;

/** @throws OperationError when the file cannot be read: the product must not start and lift what is stopped */
export async function openStops(options: StopsOptions): Promise<Stops> {
  const known = new Known();
  const file = new Watched(options.file, known, options);
  const shared = options.shared && new Watched(options.shared, known, options);
  const first = await file.look();
  if (first !== null) {
    await options.file.close().catch(() => {});
    throw new OperationError(`the kill switch cannot be read from ${options.file.name}: ${first}`, {
      hint: 'restore the file; to begin without any stop, move it away with its -wal and -shm files',
    });
  }
  await shared?.look();
  file.start();
  shared?.start();
  return {
    find(call) {
      if (file.isBlindFor(graceMs)) return 'unknown';
      return known.matcher.size === 0 ? null : known.matcher.find(call);
    },
    findTool: (server, tool) => (known.matcher.size === 0 ? null : known.matcher.findTool(server, tool)),
    onChange: (listener) => known.listeners.push(listener),
    async close() {
      await file.stop();
      await shared?.stop();
    },
  };
}

/** All that was ever seen, from whatever place. A stop leaves by a resumption on record and by nothing else. */
class Known {
  readonly all = new Map<string, Stop>();
  readonly listeners: ((change: StopChange) => void)[] = [];
  matcher: Matcher = compileStops([]);
  version = 0;

  add(stops: readonly Stop[]): void {
    const stopped: Stop[] = [];
    const resumed: Stop[] = [];
    let changed = false;
    for (const stop of stops) {
      const before = this.all.get(stop.id);
      if (before?.resumed || (before && !stop.resumed)) continue;
      this.all.set(stop.id, stop);
      changed = true;
      if (!stop.resumed) stopped.push(stop);
      else if (before) resumed.push(stop);
    }
    if (!changed) return;
    this.version += 1;
    this.matcher = compileStops([...this.all.values()].filter((stop) => stop.resumed === null));
    if (stopped.length + resumed.length === 0) return;
    for (const listener of this.listeners) listener({ stopped, resumed });
  }

  /** What a place does not have, and others do. */
  missingFrom(stops: readonly Stop[]): Stop[] {
    const there = new Map(stops.map((stop) => [stop.id, stop]));
    return [...this.all.values()].filter((stop) => {
      const copy = there.get(stop.id);
      return copy === undefined || (stop.resumed !== null && copy.resumed === null);
    });
  }
}

/** One place, looked at over and over; each by itself, so that one that hangs does not hold up the other. */
class Watched {
  readonly #place: StopPlace;
  readonly #known: Known;
  readonly #options: StopsOptions;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<unknown> = Promise.resolve();
  /** What was read last, and how much of what is known the place was given by then. */
  #seen: StopReading | null = null;
  #given = -1;
  #blindSince: number | null = null;
  #stopped = false;

  constructor(place: StopPlace, known: Known, options: StopsOptions) {
    this.#place = place;
    this.#known = known;
    this.#options = options;
  }

  isBlindFor(ms: number): boolean {
    return this.#blindSince !== null && this.#options.clock.monotonic() - this.#blindSince > ms;
  }

  /** @returns what went wrong, or null */
  async look(): Promise<string | null> {
    try {
      const reading = await this.#place.read();
      if (reading !== this.#seen) this.#known.add(reading.stops);
      const { version } = this.#known;
      if (reading !== this.#seen || version !== this.#given) {
        const missing = this.#known.missingFrom(reading.stops);
        if (missing.length > 0) await this.#place.merge(missing);
      }
      this.#seen = reading;
      this.#given = version;
      this.#tell(reading.damage);
      return reading.damage;
    } catch (error) {
      const detail = messageOf(error);
      this.#tell(detail);
      return detail;
    }
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.look().finally(() => this.start());
    }, everyMs).unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    // One that hangs is left behind.
    await Promise.race([this.#running, sleep(closeWithinMs, undefined, { ref: false })]);
    await this.#place.close().catch(() => {});
  }

  #tell(detail: string | null): void {
    const readable = detail === null;
    if (readable === (this.#blindSince === null)) return;
    this.#blindSince = readable ? null : this.#options.clock.monotonic();
    const { name } = this.#place;
    if (readable) this.#options.log.info({ place: name }, 'the kill switch can be read again');
    else this.#options.log.error({ place: name, detail }, 'the kill switch cannot be read');
    this.#options.onState?.({ place: name, readable, detail });
  }
}
