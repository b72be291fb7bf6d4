import { createHash, randomInt } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { type Log, messageOf, OperationError, type Secret } from '../base/index.ts';

/**
 * The one connection to Redis or Valkey, shared by whatever keeps something there. It never waits: a command that cannot be
 * sent now fails at once, and one without an answer fails after `commandTimeoutMs`, so that a store that hangs
 * costs a call no more than that. It connects again by itself, for ever, at uneven intervals.
 */
export interface RedisConnection {
  /** Begins every key and channel: `portcullis:`. Nothing else of a shared Redis is touched. */
  readonly prefix: string;
  /** Keys of one script must then lie in one slot (hash tags). */
  readonly isCluster: boolean;
  isReady(): boolean;
  /** One command. Rejects when it cannot be sent, times out, or is answered with an error. */
  call(command: string, ...parameters: readonly (string | number)[]): Promise<unknown>;
  /** Runs a script by its digest, and sends its text where the server does not know it (restarted, flushed). */
  run(
    script: RedisScript,
    keys: readonly string[],
    parameters: readonly (string | number)[],
  ): Promise<unknown>;
  /**
   * Listens to a channel, whose name has no prefix here, on a connection of its own that comes back as this one does.
   * Messages that are sent while it is away are lost: read the state again at `onReady`.
   */
  subscribe(channel: string, listener: (message: string) => void): void;
  /** @param listener called each time that the connection is ready, the first time too */
  onReady(listener: () => void): void;
  close(): Promise<void>;
}

export interface RedisScript {
  readonly text: string;
  /** SHA-1 of the text, as EVALSHA wants it. */
  readonly digest: string;
}

export function redisScript(text: string): RedisScript {
  return { text, digest: createHash('sha1').update(text).digest('hex') };
}

export interface RedisOptions {
  /** `redis://…` or, with TLS, `rediss://…`; may hold a password. */
  readonly url: Secret;
  readonly prefix: string;
  readonly isCluster: boolean;
  readonly commandTimeoutMs: number;
  readonly log: Log;
}

const connectTimeoutMs = 2_000;
const firstDelayMs = 50;
const longestDelayMs = 2_000;

/** @throws OperationError when the package `ioredis` is not installed. A server that does not answer throws nothing. */
export async function connectRedis(options: RedisOptions): Promise<RedisConnection> {
  const { Redis, Cluster } = await load();
  const make = (): Redis | Cluster => {
    const url = options.url.reveal();
    return options.isCluster
      ? new Cluster([url], { ...clusterSettings, redisOptions: settings(options) })
      : new Redis(url, { ...settings(options), retryStrategy, enableOfflineQueue: false });
  };
  return new Connection(options, make);
}

async function load(): Promise<Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>> {
  try {
    return await import('ioredis');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new OperationError('the configuration has `redis:`, and the package ioredis is not installed', {
      hint: 'npm install ioredis@6, where portcullis is installed',
      cause: error,
    });
  }
}

/** Commands are never sent twice by the library: a charge whose answer was lost may have been taken. */
const settings = ({ commandTimeoutMs }: RedisOptions) => ({
  commandTimeout: commandTimeoutMs,
  connectTimeout: connectTimeoutMs,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectionName: 'portcullis',
});

/** A fleet that lost its store together must not come back together. */
function retryStrategy(attempt: number): number {
  const delay = Math.min(firstDelayMs * 2 ** Math.min(attempt - 1, 10), longestDelayMs);
  return delay / 2 + randomInt(Math.ceil(delay / 2));
}

const clusterSettings = {
  enableOfflineQueue: false,
  clusterRetryStrategy: retryStrategy,
  clusterNodeRetryStrategy: retryStrategy,
  slotsRefreshTimeout: connectTimeoutMs,
};

class Connection implements RedisConnection {
  readonly prefix: string;
  readonly isCluster: boolean;
  readonly #log: Log;
  readonly #make: () => Redis | Cluster;
  readonly #client: Redis | Cluster;
  readonly #ready: (() => void)[] = [];
  readonly #listeners = new Map<string, ((message: string) => void)[]>();
  #subscriber: Redis | Cluster | null = null;
  #complaint = '';

  constructor({ prefix, isCluster, log }: RedisOptions, make: () => Redis | Cluster) {
    this.prefix = prefix;
    this.isCluster = isCluster;
    this.#log = log;
    this.#make = make;
    this.#client = this.#open();
    this.#client.on('ready', () => {
      this.#complaint = '';
      log.info({}, 'redis: connected');
      for (const listener of this.#ready) listener();
    });
  }

  isReady(): boolean {
    return this.#client.status === 'ready';
  }

  call(command: string, ...parameters: readonly (string | number)[]): Promise<unknown> {
    return this.#client.call(command, ...parameters);
  }

  async run(
    script: RedisScript,
    keys: readonly string[],
    parameters: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await this.call('EVALSHA', script.digest, keys.length, ...keys, ...parameters);
    } catch (error) {
      // The server refused before it ran anything, so sending it again charges nobody twice.
      if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
      return this.call('EVAL', script.text, keys.length, ...keys, ...parameters);
    }
  }

  subscribe(channel: string, listener: (message: string) => void): void {
    const name = this.prefix + channel;
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    this.#subscriber ??= this.#openSubscriber();
    if (this.#subscriber.status === 'ready') this.#listen(this.#subscriber, [name]);
  }

  onReady(listener: () => void): void {
    this.#ready.push(listener);
    if (this.isReady()) listener();
  }

  async close(): Promise<void> {
    this.#subscriber?.disconnect();
    this.#client.disconnect();
  }

  #openSubscriber(): Redis | Cluster {
    const subscriber = this.#open();
    subscriber.on('ready', () => this.#listen(subscriber, [...this.#listeners.keys()]));
    subscriber.on('message', (name: string, message: string) => {
      for (const listener of this.#listeners.get(name) ?? []) listener(message);
    });
    return subscriber;
  }

  #listen(subscriber: Redis | Cluster, names: readonly string[]): void {
    subscriber.subscribe(...names).catch((error: unknown) => this.#complain(error));
  }

  #open(): Redis | Cluster {
    const client = this.#make();
    client.on('error', (error: unknown) => this.#complain(error));
    return client;
  }

  /** Once for each kind of trouble: a store that is away is tried again and again. */
  #complain(error: unknown): void {
    const detail = messageOf(error);
    if (detail === this.#complaint) return;
    this.#complaint = detail;
    this.#log.warn({ detail }, 'redis: no connection');
  }
}
