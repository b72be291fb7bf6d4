import { setTimeout as wait } from 'node:timers/promises';
import { type Log, messageOf, type Secret } from '../../base/index.ts';
import { connectPostgres, type Postgres } from '../../store/index.ts';

/** Of the advisory locks that say that a writer lives: any number that nobody else uses. The other half is the writer's number. */
export const presenceLock = 704_602_926;

const closingMs = 1_000;

export interface PresenceOptions {
  readonly url: Secret;
  readonly log: Log;
  /** Number of the writer in this database. */
  readonly writer: number;
  /** How often it is looked whether the lock is still there. 5,000 by default. */
  readonly everyMs?: number;
}

/**
 * While a writer lives it holds a lock of the server's, on a connection of its own: the server lets go of it when the process dies, and
 * whoever starts elsewhere can see that. A connection that was cut is replaced, and the lock taken again. It is a shared one: the
 * old connection may still be there. `heads.watched` says that it was ever held, so that its absence means something.
 *
 * Behind a pooler a lock would be held by a connection that outlives the process. There none is taken.
 */
export class Presence {
  readonly #options: PresenceOptions;
  #database: Postgres | null = null;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isDeclared = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#looking = this.#look();
  }

  /** Waits a moment at most: a server that is silent must not hold up whoever opens the store again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const closed = this.#looking.then(() => this.#database?.close());
    await Promise.race([closed.catch(() => {}), wait(closingMs, undefined, { ref: false })]);
  }

  async #look(): Promise<void> {
    const { url, log, everyMs = 5_000 } = this.#options;
    try {
      this.#database ??= await connectPostgres({
        ...{ url, log, connections: 1, statementMs: 4_000 },
        isHeld: true,
      });
      if (!(await this.#hold(this.#database))) return;
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'this process cannot be seen from elsewhere for now');
    }
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.start(), everyMs);
    this.#timer.unref();
  }

  /** @returns false where there is nothing to hold on to */
  async #hold(database: Postgres): Promise<boolean> {
    const { writer, log } = this.#options;
    const { rows } = await database.query(
      `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND pid = pg_backend_pid()) AS held`,
      [presenceLock, writer],
    );
    if (!(rows[0]?.['held'] as unknown)) {
      if (!(await database.isDirect())) {
        log.debug({}, 'PostgreSQL is behind a pooler: other gateways cannot see whether this process lives');
        return false;
      }
      await database.query('SELECT pg_advisory_lock_shared($1, $2)', [presenceLock, writer]);
    }
    if (this.#isDeclared) return true;
    await database.query('UPDATE portcullis.heads SET watched = true WHERE writer = $1', [writer]);
    this.#isDeclared = true;
    return true;
  }
}
