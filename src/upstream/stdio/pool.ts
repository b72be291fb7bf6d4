import type { UpstreamFailure } from '../upstream.ts';
import { ConnectionLost } from './connection.ts';
import { Host, type HostOptions } from './host.ts';
import type { Session } from './sessions.ts';
import type { Line } from './slot.ts';

export interface PoolOptions extends Omit<HostOptions, 'principalKey' | 'sessions' | 'keepAlive'> {
  sessionsOf(principalKey: string | null): Iterable<Session>;
  allSessions(): Iterable<Session>;
}

/** The children: one for everybody, or one for each principal and one for the gateway's own calls. */
export class Pool {
  readonly #options: PoolOptions;
  /** By principal; the shared child and the gateway's own stand under null. */
  readonly #hosts = new Map<string | null, Host>();

  readonly #resting = new Set<Promise<void>>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get hosts(): Iterable<Host> {
    return this.#hosts.values();
  }

  /** The child that serves a principal; it is started by `acquire`. */
  host(principalKey: string | null): Host {
    const key = this.#options.shared ? null : principalKey;
    const known = this.#hosts.get(key);
    if (known) return known;
    const host = new Host({
      ...this.#options,
      principalKey: key,
      keepAlive: key === null,
      sessions: () => (this.#options.shared ? this.#options.allSessions() : this.#options.sessionsOf(key)),
    });
    this.#hosts.set(key, host);
    return host;
  }

  /** Starts the child where needed, in place of the longest idle one where there are too many. */
  async acquire(host: Host): Promise<Line> {
    if (host.slot.processes === 0) {
      try {
        this.#makeRoom(host);
      } catch (error) {
        this.#forget(host);
        throw error;
      }
    }
    return await host.slot.acquire();
  }

  /** Ends children that were idle for too long, and forgets those that nobody depends on. */
  sweep(now: number): void {
    for (const [key, host] of [...this.#hosts]) {
      if (key === null || !host.isIdle || host.hub.isWatched) continue;
      if (now - host.slot.usedAt < this.#options.limits.processIdleMs) continue;
      if (host.slot.processes > 0) this.#rest(host);
      else this.#forget(host);
    }
  }

  async stop(failure: UpstreamFailure): Promise<void> {
    await Promise.all([...[...this.#hosts.values()].map((host) => host.stop(failure)), ...this.#resting]);
  }

  #rest(host: Host): void {
    const resting = host.slot.rest().finally(() => this.#resting.delete(resting));
    this.#resting.add(resting);
  }

  /** Lets go of a place without a child, unless a session or a stream hangs on it. */
  #forget(host: Host): void {
    if (host.hub.size > 0 || host.principalKey === null) return;
    host.hub.close();
    this.#hosts.delete(host.principalKey);
  }

  #makeRoom(wanted: Host): void {
    const running = [...this.#hosts.values()].filter((host) => host !== wanted && host.slot.processes > 0);
    if (running.length < this.#options.limits.processes) return;
    const idle = running.filter((host) => host.isIdle && host.principalKey !== null);
    const longest = idle.sort((a, b) => a.slot.usedAt - b.slot.usedAt)[0];
    if (!longest) {
      throw new ConnectionLost({
        code: 'upstream_unavailable',
        detail: 'as many children run as may, and all are busy',
      });
    }
    this.#rest(longest);
    this.#forget(longest);
  }
}
