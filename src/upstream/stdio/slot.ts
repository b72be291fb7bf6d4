import { type Clock, type Log, messageOf } from '../../base/index.ts';
import type { JsonObject } from '../../protocol/index.ts';
import type { UpstreamFailure } from '../upstream.ts';
import type { ChildMessage } from './child-message.ts';
import { Connection, type ConnectionCounts, ConnectionLost } from './connection.ts';
import { handshake, type Peer } from './handshake.ts';
import type { StdioLimits } from './limits.ts';
import type { ProcessEvents, ServerProcess } from './process.ts';

/** A connection to a child that takes calls. */
export interface Line {
  readonly connection: Connection;
  readonly peer: Peer;
}

export interface SlotEvents {
  /** A child takes calls; `again` when it is not the slot's first. */
  onReady(line: Line, again: boolean): void;
  onNotification(message: ChildMessage): void;
  onRequest(message: ChildMessage, line: Line): void;
}

/** Era found by one child, for those after it: a silent child would cost each of them the probe's time. */
export interface EraMemory {
  era: 'auto' | 'modern' | 'legacy';
}

export interface SlotOptions {
  readonly limits: StdioLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly server: string;
  readonly memory: EraMemory;
  /** As configured: where a child stops to be what `memory` says, it is asked again. */
  readonly protocol: EraMemory['era'];
  readonly counts: ConnectionCounts;
  /** Declared to a legacy child; empty unless the child belongs to one principal. */
  clientCapabilities(): JsonObject;
  /** Starts again by itself when the child dies. */
  readonly keepAlive: boolean;
  spawn(events: ProcessEvents): ServerProcess;
}

export type SlotState = 'idle' | 'starting' | 'ready' | 'down' | 'closed';

/** The place of one child: starts it, starts it again with back-off, and ends it. */
export class Slot {
  state: SlotState = 'idle';
  readonly #options: SlotOptions;
  readonly #events: SlotEvents;
  readonly #processes = new Set<ServerProcess>();
  #line: Line | null = null;
  #attempt: Promise<Line> | null = null;
  #restart: NodeJS.Timeout | null = null;
  #failures = 0;
  #nextAttemptAt = 0;
  #readyAt = 0;
  #starts = 0;
  #acquiring = 0;
  #reason = '';
  /** Monotonic time of the last use, for stopping the longest idle one. */
  usedAt: number;

  constructor(options: SlotOptions, events: SlotEvents) {
    this.#options = options;
    this.#events = events;
    this.usedAt = options.clock.monotonic();
  }

  get line(): Line | null {
    return this.#line;
  }

  get pending(): number {
    return this.#line?.connection.pending ?? 0;
  }

  /** Whether somebody waits for the child to be ready. */
  get isWanted(): boolean {
    return this.#acquiring > 0 || this.#attempt !== null;
  }

  get processes(): number {
    return this.#processes.size;
  }

  /** The child, started where needed. Rejects with ConnectionLost. */
  async acquire(): Promise<Line> {
    this.usedAt = this.#options.clock.monotonic();
    this.#acquiring += 1;
    try {
      if (this.#attempt === null && this.state === 'down') await this.#patience();
      return await this.#begin();
    } finally {
      this.#acquiring -= 1;
    }
  }

  /** Ends the child and fails what waits for it. The slot cannot be used again. */
  async stop(failure: UpstreamFailure): Promise<void> {
    this.state = 'closed';
    if (this.#restart) clearTimeout(this.#restart);
    this.#line?.connection.lose(failure);
    this.#line = null;
    await Promise.all([...this.#processes].map((process) => process.stop()));
    this.#processes.clear();
  }

  /** Ends the child until the next call. */
  async rest(): Promise<void> {
    if (this.state === 'closed') return;
    this.state = 'idle';
    this.#line?.connection.lose({ code: 'upstream_unavailable', detail: 'the child was stopped as idle' });
    this.#line = null;
    await Promise.all([...this.#processes].map((process) => process.stop()));
  }

  async #patience(): Promise<void> {
    const wait = this.#nextAttemptAt - this.#options.clock.monotonic();
    if (wait <= 0) return;
    if (wait > this.#options.limits.restartPatienceMs) {
      throw unavailable(`${this.#reason}; next start in ${Math.ceil(wait / 1000)} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }

  #begin(): Promise<Line> {
    if (this.#line) return Promise.resolve(this.#line);
    if (this.state === 'closed') return Promise.reject(unavailable('the child was stopped'));
    this.#attempt ??= this.#start().finally(() => {
      this.#attempt = null;
    });
    return this.#attempt;
  }

  async #start(): Promise<Line> {
    this.state = 'starting';
    try {
      const line = await this.#establish();
      this.#ready(line);
      return line;
    } catch (error) {
      this.#options.memory.era = this.#options.protocol;
      const reason = error instanceof ConnectionLost ? error.failure.detail : messageOf(error);
      this.#down(reason);
      throw unavailable(reason);
    }
  }

  async #establish(): Promise<Line> {
    const { memory } = this.#options;
    try {
      return await this.#open(memory.era);
    } catch (error) {
      // some legacy servers end at a request before `initialize`
      if (memory.era !== 'auto' || !(error instanceof ConnectionLost) || this.#isClosed()) throw error;
      return await this.#open('legacy');
    }
  }

  async #open(protocol: EraMemory['era']): Promise<Line> {
    const { limits, counts } = this.#options;
    const clientCapabilities = this.#options.clientCapabilities();
    const process = this.#spawn(counts);
    const { connection } = process;
    const late = `the child did not become ready in ${limits.handshakeTimeoutMs} ms`;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      connection.lose({ code: 'upstream_unavailable', detail: late });
    }, limits.handshakeTimeoutMs);
    try {
      const { probeTimeoutMs } = limits;
      const peer = await handshake(connection, { protocol, clientCapabilities, probeTimeoutMs });
      if (connection.isLost || this.#isClosed()) throw unavailable('the child ended while it started');
      return { connection, peer };
    } catch (error) {
      void process.child.stop();
      // no ConnectionLost: the child is there, and a second one would not be faster
      throw isLate ? new Error(late) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  #spawn(counts: ConnectionCounts): { child: ServerProcess; connection: Connection } {
    const writer = { write: (line: string): boolean => child.write(line) };
    const connection = new Connection(writer, counts);
    const child = this.#options.spawn({
      line: (bytes) => connection.receive(bytes),
      ended: (reason) => {
        connection.lose({ code: 'upstream_unavailable', detail: `the child ${reason}` });
        void child.stop().then(() => this.#processes.delete(child));
        this.#ended(connection, reason);
      },
    });
    this.#processes.add(child);
    return { child, connection };
  }

  #ready(line: Line): void {
    const { clock, log, server, memory } = this.#options;
    this.#line = line;
    this.state = 'ready';
    this.#readyAt = clock.monotonic();
    this.#starts += 1;
    memory.era = line.peer.era;
    line.connection.listen({
      onNotification: (message) => this.#events.onNotification(message),
      onRequest: (message) => this.#events.onRequest(message, line),
    });
    log.info({ server, era: line.peer.era, revision: line.peer.revision }, 'upstream is ready');
    this.#events.onReady(line, this.#starts > 1);
  }

  #ended(connection: Connection, reason: string): void {
    if (this.#line?.connection !== connection || this.#isClosed()) return;
    const { clock, limits } = this.#options;
    this.#line = null;
    if (clock.monotonic() - this.#readyAt >= limits.stableAfterMs) this.#failures = 0;
    this.#down(`the child ${reason}`);
  }

  #down(reason: string): void {
    if (this.#isClosed()) return;
    const { clock, limits, log, server, keepAlive } = this.#options;
    const delay = Math.min(
      limits.restartDelayMs * 2 ** Math.min(this.#failures, 20),
      limits.restartDelayMaxMs,
    );
    this.state = 'down';
    this.#failures += 1;
    this.#reason = reason;
    this.#nextAttemptAt = clock.monotonic() + delay;
    log.warn({ server, reason, delayMs: delay }, 'upstream is down');
    if (keepAlive && this.#starts > 0) this.#schedule(delay);
  }

  #schedule(delay: number): void {
    if (this.#restart) clearTimeout(this.#restart);
    this.#restart = setTimeout(() => {
      this.#begin().catch(() => {
        // already logged, and the next attempt is planned
      });
    }, delay).unref();
  }

  #isClosed(): boolean {
    return this.state === 'closed';
  }
}

function unavailable(detail: string): ConnectionLost {
  return new ConnectionLost({ code: 'upstream_unavailable', detail });
}
