import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type Log, messageOf } from '../../base/index.ts';
import type { LimitDemand, LimitVerdict, MemoryLimiter } from '../limiter.ts';
import type { RemoteCounters } from '../shared/limiter.ts';
import { type KeeperClient, KeeperGone, reachKeeper } from './client.ts';
import { type Journal, openJournal } from './journal.ts';
import { type Place, placeIn } from './place.ts';
import { type KeeperServer, serveCounters } from './server.ts';

/**
 * The counters of a data directory. Of the processes that use it one counts, who got the lock first, and the others ask it;
 * when it ends another takes over. So several processes on one machine share every limit.
 */
export interface Keeper extends RemoteCounters {
  /** Whether this process is the one that counts. */
  isHere(): boolean;
  close(): void;
}

export interface KeeperOptions {
  readonly dataDir: string;
  /** Proves to the others that one may read the master key. */
  readonly word: string;
  readonly memory: MemoryLimiter;
  readonly clock: Clock;
  readonly log: Log;
}

type Role =
  | { readonly kind: 'keeper'; readonly journal: Journal; readonly server: KeeperServer }
  | { readonly kind: 'follower'; readonly client: KeeperClient };

/** A call waits so long for somebody to count: a takeover takes a few milliseconds. */
const roleWithinMs = 400;
const startWithinMs = 3_000;
const pauseMs = 20;

export async function joinKeeper(options: KeeperOptions): Promise<Keeper> {
  const keeper = new Member(options);
  await Promise.race([keeper.joined(), sleep(startWithinMs, undefined, { ref: false })]);
  return keeper;
}

class Member implements Keeper {
  readonly name = 'keeper';
  readonly #options: KeeperOptions;
  readonly #place: Place;
  #role: Role | null = null;
  #seeking: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#place = placeIn(options.dataDir);
  }

  isHere(): boolean {
    return this.#role?.kind === 'keeper';
  }

  isReady(): boolean {
    return !this.#isClosed;
  }

  /** Resolves when somebody counts. */
  joined(): Promise<void> {
    this.#seeking ??= this.#seek().finally(() => {
      this.#seeking = null;
    });
    return this.#seeking;
  }

  admit(demands: readonly LimitDemand[], now: number): LimitVerdict | Promise<LimitVerdict> {
    const role = this.#role;
    if (role?.kind === 'keeper') return this.#decide(role.journal, demands, now);
    return this.#ask(demands);
  }

  async probe(): Promise<void> {
    await this.#ask([]);
  }

  close(): void {
    this.#isClosed = true;
    this.#leave();
  }

  #decide(journal: Journal, demands: readonly LimitDemand[], now: number) {
    const verdict = this.#options.memory.admit(demands, now);
    if (verdict.admitted) journal.charged(demands);
    return verdict;
  }

  /** Asks again where the one that counted has died: what it had charged for this call counts twice at worst. */
  async #ask(demands: readonly LimitDemand[]): Promise<LimitVerdict> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const role = this.#role ?? (await this.#roleSoon());
      if (role.kind === 'keeper') return this.#decide(role.journal, demands, this.#options.clock.monotonic());
      try {
        return await role.client.ask(demands);
      } catch (error) {
        if (!(error instanceof KeeperGone)) throw error;
      }
    }
    throw new KeeperGone('the process that counts is gone');
  }

  async #roleSoon(): Promise<Role> {
    await Promise.race([this.joined(), sleep(roleWithinMs, undefined, { ref: false })]);
    if (this.#role === null) throw new Error('the process that counts: timed out');
    return this.#role;
  }

  async #seek(): Promise<void> {
    while (!this.#isClosed && this.#role === null) {
      this.#role = (await this.#keep()) ?? (await this.#follow());
      if (this.#role === null) await sleep(pauseMs * (1 + Math.random()), undefined, { ref: false });
    }
    if (this.#isClosed) this.#leave();
  }

  /** Null: another process has the lock. */
  async #keep(): Promise<Role | null> {
    const { dataDir, memory, clock, word, log } = this.#options;
    let journal: Journal | null = null;
    try {
      journal = openJournal(dataDir, memory, clock);
      if (journal === null) return null;
      const held = journal;
      const server = await serveCounters(this.#place, word, (demands) =>
        this.#decide(held, demands, clock.monotonic()),
      );
      return { kind: 'keeper', journal, server };
    } catch (error) {
      log.error({ detail: messageOf(error) }, 'limits cannot be counted for this data directory');
      journal?.close();
      return null;
    }
  }

  async #follow(): Promise<Role | null> {
    try {
      const client = await reachKeeper(this.#place, this.#options.word, () => this.#lost());
      this.#options.log.info({}, 'limits: another process of this data directory counts');
      return { kind: 'follower', client };
    } catch {
      return null;
    }
  }

  #lost(): void {
    this.#role = null;
    if (!this.#isClosed) void this.joined();
  }

  #leave(): void {
    const role = this.#role;
    this.#role = null;
    if (role?.kind === 'follower') role.client.close();
    if (role?.kind !== 'keeper') return;
    role.server.close();
    role.journal.close();
  }
}
