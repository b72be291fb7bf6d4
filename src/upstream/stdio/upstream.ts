import type { Clock, Log } from '../../base/index.ts';
import type { StdioUpstreamConfig } from '../../config/index.ts';
import type {
  AnswerSink,
  Exchange,
  Upstream,
  UpstreamFailure,
  UpstreamRequest,
  UpstreamState,
} from '../upstream.ts';
import { Answer } from './answer.ts';
import type { ConnectionCounts } from './connection.ts';
import { childEnvironment } from './environment.ts';
import type { Front } from './front.ts';
import { Incoming } from './incoming.ts';
import { LegacyClients } from './legacy-client.ts';
import { defaultLimits, type StdioLimits } from './limits.ts';
import { ModernClients } from './modern-client.ts';
import { Pool } from './pool.ts';
import { type ProcessEvents, ServerProcess } from './process.ts';
import { Sessions } from './sessions.ts';
import { redactor } from './stderr.ts';

export interface StdioUpstreamOptions {
  /** Name of the server in the configuration. */
  readonly name: string;
  readonly config: StdioUpstreamConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** The gateway's own environment; an allow-listed part of it is passed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Other bounds than the usual ones. */
  readonly limits?: Partial<StdioLimits>;
}

/** What an upstream holds now. All but `ignored` and `unmatched` are 0 once nothing is going on. */
export interface StdioStatistics {
  readonly processes: number;
  /** Requests that the child has not answered. */
  readonly pending: number;
  readonly calls: number;
  readonly exchanges: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly listens: number;
  readonly serverRequests: number;
  readonly ignored: number;
  readonly unmatched: number;
}

export interface StdioUpstream extends Upstream {
  statistics(): StdioStatistics;
}

const shuttingDown: UpstreamFailure = { code: 'shutting_down', detail: 'the upstream is being closed' };

/** An MCP server that runs as a subprocess, for clients of either era. */
export class StdioServer implements StdioUpstream {
  readonly #options: StdioUpstreamOptions;
  readonly #front: Front;
  readonly #modern: ModernClients;
  readonly #legacy: LegacyClients;
  readonly #counts: ConnectionCounts = { unmatched: 0, ignored: 0 };
  readonly #answers = new Set<Answer>();
  readonly #listeners: (() => void)[] = [];
  #sweeper: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;
  #reported = 0;

  constructor(options: StdioUpstreamOptions) {
    this.#options = options;
    const limits = { ...defaultLimits, ...options.limits };
    const sessions = new Sessions(limits, options.clock, (session) => {
      this.#front.pool.host(session.principalKey).hub.remove(session);
    });
    this.#front = {
      limits,
      sessions,
      clock: options.clock,
      requestTimeoutMs: options.config.requestTimeoutMs,
      shared: options.config.isolation === 'shared',
      pool: this.#pool(limits, sessions),
      listens: new Map(),
      servedListens: new Set(),
    };
    this.#modern = new ModernClients(this.#front);
    this.#legacy = new LegacyClients(this.#front);
  }

  async start(): Promise<void> {
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#front.limits.sweepMs).unref();
    await this.#front.pool.acquire(this.#front.pool.host(null));
  }

  exchange(request: UpstreamRequest, sink: AnswerSink): Exchange {
    const answer = new Answer(sink, this.#front.limits.maxAnswerQueueBytes);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#front.limits.sweepMs).unref();
    this.#answers.add(answer);
    answer.onOver(() => this.#answers.delete(answer));
    if (this.#closing) answer.fail(shuttingDown);
    else this.#dispatch(request, answer);
    return answer;
  }

  onToolsChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  state(): UpstreamState {
    return this.#closing ? 'closed' : this.#front.pool.host(null).slot.state;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  statistics(): StdioStatistics {
    const { pool, sessions, listens } = this.#front;
    const hosts = [...pool.hosts];
    const sum = (count: (host: (typeof hosts)[number]) => number) =>
      hosts.reduce((total, host) => total + count(host), 0);
    return {
      processes: sum((host) => host.slot.processes),
      pending: sum((host) => host.slot.pending),
      calls: sum((host) => host.calls.size),
      exchanges: this.#answers.size,
      sessions: sessions.size,
      subscriptions: sum((host) => host.hub.resources.size),
      listens: listens.size,
      serverRequests: [...sessions.all()].reduce((total, session) => total + session.requests.size, 0),
      ...this.#counts,
    };
  }

  #dispatch(request: UpstreamRequest, answer: Answer): void {
    const { httpMethod, era, message, body } = request;
    if (httpMethod === 'POST' && message && body) {
      const incoming = new Incoming(request, message, body);
      (era === 'modern' ? this.#modern : this.#legacy).handle(incoming, answer);
    } else if (era === 'modern' || httpMethod === 'POST') answer.empty(405);
    else if (httpMethod === 'GET') this.#legacy.openStream(request, answer);
    else this.#legacy.endSession(request, answer);
  }

  #pool(limits: StdioLimits, sessions: Sessions): Pool {
    const { config, clock, log, name, environment } = this.#options;
    const redact = redactor(Object.values(config.env));
    const { command, cwd } = config;
    const spawn = (events: ProcessEvents) =>
      new ServerProcess(
        {
          command,
          cwd,
          limits,
          clock,
          log,
          redact,
          server: name,
          environment: childEnvironment(environment, config.env, process.platform),
        },
        events,
      );
    return new Pool({
      limits,
      clock,
      log,
      spawn,
      server: name,
      shared: config.isolation === 'shared',
      memory: { era: config.protocol },
      protocol: config.protocol,
      counts: this.#counts,
      sessionsOf: (principalKey) => sessions.of(principalKey),
      allSessions: () => sessions.all(),
      onToolsChanged: () => {
        for (const listener of this.#listeners) listener();
      },
    });
  }

  #sweep(): void {
    const { pool, sessions, clock } = this.#front;
    for (const answer of this.#answers) answer.comment();
    sessions.sweep();
    pool.sweep(clock.monotonic());
    const { ignored, unmatched } = this.#counts;
    if (ignored + unmatched === this.#reported) return;
    this.#reported = ignored + unmatched;
    this.#options.log.warn(
      { server: this.#options.name, ignored, unmatched },
      'upstream wrote lines that are no messages, or answers that nobody waits for',
    );
  }

  async #close(): Promise<void> {
    if (this.#sweeper) clearInterval(this.#sweeper);
    for (const listen of [...this.#front.servedListens]) listen.end();
    this.#front.sessions.endAll();
    for (const answer of [...this.#answers]) answer.fail(shuttingDown);
    await this.#front.pool.stop(shuttingDown);
  }
}
