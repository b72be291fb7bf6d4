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
    if (host.slot.processes === 0) this.#makeRoom(host);
    return await host.slot.acquire();
  }

  /** Ends children that were idle for too long, and forgets those that nobody depends on. */
  sweep(now: number): void {
    for (const [key, host] of [...this.#hosts]) {
      if (key === null || !host.isIdle || host.hub.resources.size > 0) continue;
      if (now - host.slot.usedAt < this.#options.limits.processIdleMs) continue;
      if (host.slot.processes > 0) void host.slot.rest();
      else if (host.hub.size === 0) {
        host.hub.close();
        this.#hosts.delete(key);
      }
    }
  }

  async stop(failure: UpstreamFailure): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.stop(failure)));
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
    void longest.slot.rest();
  }
}
