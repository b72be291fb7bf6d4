import { ConfigurationError, type Log, messageOf, neutralText, timestamp } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { policyHash } from './config-hash.ts';
import { unreloadable } from './reload.ts';
import { notEnforced, retrofitWarnings } from './retrofit.ts';
import { type Wiring, wire } from './wire.ts';
import type { Backend } from './wire-backends.ts';
import type { Parts } from './wire-parts.ts';

export interface StartFailure {
  readonly server: string;
  /** May contain text of the server; bounded, without control characters. */
  readonly detail: string;
}

/** What serves now, and how it is replaced. */
export class Running {
  wiring: Wiring;
  readonly #parts: Parts;
  /** What a reload replaced and its last calls still use: how to close it. */
  readonly #retiring = new Map<NodeJS.Timeout, () => Promise<void>>();

  constructor(wiring: Wiring, parts: Parts) {
    this.wiring = wiring;
    this.#parts = parts;
  }

  /** Starts the servers behind. Gives those that failed; never rejects. */
  async startBackends(): Promise<StartFailure[]> {
    const backends = [...this.wiring.backends.values()];
    const results = await Promise.all(backends.map((backend) => start(backend, this.#parts.log)));
    return results.filter((failure) => failure !== null);
  }

  /** Rejects, and changes nothing, when the configuration cannot be taken up. */
  async reload(config: Config): Promise<void> {
    const faults = unreloadable(this.wiring.config, config);
    if (faults.length > 0) throw new ConfigurationError(faults);
    const before = this.wiring;
    const after = await wire(config, this.#parts, before);
    this.wiring = after;
    this.#parts.watch.use(config);
    for (const backend of after.backends.values()) {
      if (!isRunning(backend, before)) void start(backend, this.#parts.log);
    }
    this.#retire(before, after);
    this.#tellReloaded(before, after);
  }

  /** Puts on record what serves from the start on. */
  tellStarted(): void {
    const { config } = this.wiring;
    this.#tell('gateway.started', {
      config: this.#parts.nameConfig(config),
      policy: policyOf(this.wiring),
    });
  }

  #tellReloaded(before: Wiring, after: Wiring): void {
    this.#tell('config.reloaded', {
      before: this.#parts.nameConfig(before.config),
      after: this.#parts.nameConfig(after.config),
      policy_before: policyOf(before),
      policy_after: policyOf(after),
    });
  }

  /** With what is not in force, which the log says too. */
  #tell(event: string, data: Readonly<Record<string, string>>): void {
    const { audit, clock, log } = this.#parts;
    const now = clock.now();
    const { config } = this.wiring;
    audit.event({ timestamp: timestamp(now), event, data: { ...data, ...notEnforced(config, now) } });
    for (const warning of retrofitWarnings(config, now)) log.warn({}, warning);
  }

  /** The old wiring's calls get the drain time; then what no longer serves is closed. */
  #retire(before: Wiring, after: Wiring): void {
    const close = async (): Promise<void> => {
      await before.authorizationServer?.close();
      const gone = [...before.backends.values()].filter((backend) => !isRunning(backend, after));
      await Promise.all(gone.map(({ upstream }) => upstream.close()));
    };
    const timer = setTimeout(() => {
      this.#retiring.delete(timer);
      close().catch((error: unknown) => {
        const detail = messageOf(error);
        this.#parts.log.warn({ detail }, 'something of the old configuration did not close');
      });
    }, before.config.http.drainSeconds * 1000);
    timer.unref();
    this.#retiring.set(timer, close);
  }

  /** Ends what serves; the parts are still open. */
  async stop(): Promise<void> {
    for (const timer of this.#retiring.keys()) clearTimeout(timer);
    await Promise.all([...this.#retiring.values()].map((close) => close()));
    await Promise.all([...this.wiring.backends.values()].map(({ upstream }) => upstream.close()));
    await this.wiring.authorizationServer?.close();
  }
}

function policyOf({ site }: Wiring): string {
  return policyHash(site.servers.values());
}

function isRunning(backend: Backend, wiring: Wiring): boolean {
  return wiring.backends.get(backend.config.name) === backend;
}

async function start(backend: Backend, log: Log): Promise<StartFailure | null> {
  const { name } = backend.config;
  try {
    await backend.upstream.start();
    const tools = await backend.catalog.refresh();
    if (tools === null) return { server: name, detail: 'its tool list cannot be read; the log says why' };
    log.info({ server: name, tools }, 'the MCP server is ready');
    return null;
  } catch (error) {
    const detail = neutralText(messageOf(error), 500);
    log.error({ server: name, detail }, 'the MCP server did not start');
    return { server: name, detail };
  }
}
