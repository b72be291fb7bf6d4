import type { AuditEvent, OpenAuditTrail } from '../audit/index.ts';
import {
  type Clock,
  ConfigurationError,
  type Log,
  messageOf,
  neutralText,
  timestamp,
} from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { createOutbound, type Outbound } from '../outbound/index.ts';
import { createPins, openPinStore } from '../pins/index.ts';
import { CallsInFlight, createSessionSeal, OpenStreams } from '../pipeline/index.ts';
import { createAssertionSigner, createCredentialsSwitch } from '../upstream/index.ts';
import { configHash, policyHash } from './config-hash.ts';
import { isPlainAndFar } from './loopback.ts';
import { masterKey } from './master-key.ts';
import type { Parts } from './parts.ts';
import { openRedis } from './redis.ts';
import { createRefusals } from './refusals.ts';
import { unreloadable } from './reload.ts';
import { notEnforced, retrofitWarnings } from './retrofit.ts';
import { fault, route } from './routes.ts';
import { type Listening, listen } from './server.ts';
import { drain } from './shutdown.ts';
import { watchTls } from './tls.ts';
import { type Wiring, wire } from './wire.ts';
import { openAudit, reportOrphans } from './wire-audit.ts';
import type { Backend } from './wire-backends.ts';
import { openDenyList } from './wire-denials.ts';
import { openLimits } from './wire-limits.ts';
import { createReplayGuard } from './wire-servers.ts';
import { openKillSwitch } from './wire-stops.ts';
import { openTelemetry, telemetryWarnings } from './wire-telemetry.ts';
import { createWatch, weakenedDetections } from './wire-watch.ts';
import { watchWithdrawals } from './withdrawals.ts';

export interface GatewayOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Variables that children may inherit by allow-list. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output, for a copy of the audit trail. Without it such a copy fails. */
  readonly writeOut?: (text: string) => Promise<void>;
  /** Fetches client metadata documents instead of the guarded way out. For tests. */
  readonly clientMetadataFetch?: typeof fetch;
}

/** A running gateway. */
export interface Gateway {
  readonly servers: readonly { readonly name: string; readonly url: string }[];
  /** Of the embedded authorization server; null when `auth.issuers` replace it. */
  readonly issuer: string | null;
  /** The operator's web page; null while there is none. */
  readonly console: string | null;
  /** One-time link for the first administrator; null when there is one. */
  readonly setup: string | null;
  readonly auditFile: string;
  /** What the operator should know at start. */
  readonly warnings: readonly string[];
  /** Resolves when every MCP server has answered or failed for the first time; gives those that failed. Never rejects. */
  readonly started: Promise<readonly StartFailure[]>;
  /** Takes up another configuration. Rejects, and changes nothing, when it cannot. */
  reload(config: Config): Promise<void>;
  /** Puts on record that a configuration has faults, so that the one before stays in force. */
  refused(faults: readonly string[]): void;
  /** Drains, then stops. */
  close(): Promise<void>;
}

export interface StartFailure {
  readonly server: string;
  /** May contain text of the server; bounded, without control characters. */
  readonly detail: string;
}

const keepAliveMs = 15_000;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { clock, log, environment } = options;
  let stopping = false;
  const key = masterKey(options.config.data);
  const outbound = createOutbound();
  const trail = await openTrail(options, outbound);
  const watch = createWatch(options.config, { trail, outbound, clock, log });
  const audit = watch.trail;
  const redis = await openRedis(options.config, log);
  const inFlight = new CallsInFlight();
  const stops = await openKillSwitch(options.config, { audit, inFlight, redis, clock, log }).catch(
    async (error: unknown) => {
      await redis?.close();
      await audit.close();
      throw error;
    },
  );
  const limits = await openLimits(options.config, {
    audit,
    redis,
    clock,
    log,
    word: Buffer.from(key.derive('limits')).toString('hex'),
  });
  let current: Config = options.config;
  const denials = await openDenyList(options.config, {
    ...{ audit, redis, clock, log },
    withinSeconds: () => current.auth.revocation.withinSeconds,
  }).catch(async (error: unknown) => {
    await limits.close();
    await stops.close();
    await redis?.close();
    await audit.close();
    throw error;
  });
  const telemetry = openTelemetry({ config: () => current, outbound, clock, log });
  const parts: Parts = {
    clock,
    log,
    environment,
    clientMetadataFetch: options.clientMetadataFetch,
    audit,
    nameConfig: (config) => configHash(config, key.derive('configuration names')),
    limits,
    outbound,
    watch,
    telemetry,
    sessions: createSessionSeal(key.derive('sessions')),
    connections: createCredentialsSwitch(),
    pins: createPins({
      store: openPinStore(options.config.data),
      clock,
      log,
      event: (event, data) =>
        audit.event({ timestamp: timestamp(clock.now()), event, ...placeOf(data), data }),
    }),
    assertions: createAssertionSigner({ issuer: options.config.publicUrl, clock, derive: key.derive }),
    streams: new OpenStreams(keepAliveMs),
    inFlight,
    redis,
    stops,
    denials,
    replay: createReplayGuard(clock),
    refusals: createRefusals(audit, clock),
    nonceKey: key.derive('dpop nonces'),
    isStopping: () => stopping,
  };
  await reportOrphans(options.config, audit, parts);
  const running = new Running(await startWiring(options.config, parts), parts);
  denials.onAdded(() => {
    for (const { name, authenticator } of running.wiring.site.servers.values()) {
      parts.streams.endRevoked(name, (principal) => authenticator.isRevoked(principal));
    }
  });
  const listening = await telemetry
    .start({ trail, parts, wiring: () => running.wiring })
    .then(() => openPort(running, parts))
    .catch(async (error: unknown) => {
      await running.stop();
      throw error;
    });
  const { tls } = options.config;
  const unwatch = tls ? watchTls(listening.server, tls, log) : () => {};
  const unwatchTokens = watchWithdrawals({
    current: () => ({
      servers: running.wiring.site.servers.values(),
      withinSeconds: running.wiring.config.auth.revocation.withinSeconds,
    }),
    streams: parts.streams,
    log,
  });
  const unwatchPins = watchPins(running, parts);
  const starting = [...running.wiring.backends.values()].map((backend) => start(backend, log));
  parts.audit.event({
    timestamp: timestamp(clock.now()),
    event: 'gateway.started',
    data: {
      config: parts.nameConfig(options.config),
      policy: policyOf(running.wiring),
      ...notEnforced(options.config, clock.now()),
    },
  });
  for (const warning of retrofitWarnings(options.config, clock.now())) log.warn({}, warning);
  return {
    ...describe(running.wiring, trail, clock),
    started: Promise.all(starting).then((results) => results.filter((failure) => failure !== null)),
    async reload(config) {
      await running.reload(config);
      current = config;
    },
    refused(faults) {
      const data = { faults: faults.length, detail: faults[0] ?? null };
      audit.event({ timestamp: timestamp(clock.now()), event: 'config.refused', data });
    },
    async close() {
      if (stopping) return;
      stopping = true;
      unwatch();
      unwatchTokens();
      unwatchPins();
      await drain(listening.server, parts.streams, running.wiring.config.http.drainSeconds * 1000);
      await running.stop();
    },
  };
}

function openTrail(options: GatewayOptions, outbound: Outbound): Promise<OpenAuditTrail> {
  const { config, clock, log, writeOut = () => Promise.reject(new Error('there is no output')) } = options;
  return openAudit(config, { clock, log, means: { outbound, writeOut } });
}

async function startWiring(config: Config, parts: Parts): Promise<Wiring> {
  return wire(config, parts, null).catch(async (error: unknown) => {
    await parts.stops.close();
    await parts.limits.close();
    await parts.denials.close();
    await parts.redis?.close();
    parts.pins.close();
    await parts.audit.close();
    throw error;
  });
}

/** What serves now, and how it is replaced. */
class Running {
  wiring: Wiring;
  readonly #parts: Parts;
  /** What a reload replaced and its last calls still use: how to close it. */
  readonly #retiring = new Map<NodeJS.Timeout, () => Promise<void>>();

  constructor(wiring: Wiring, parts: Parts) {
    this.wiring = wiring;
    this.#parts = parts;
  }

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
    this.#parts.audit.event({
      timestamp: timestamp(this.#parts.clock.now()),
      event: 'config.reloaded',
      data: {
        before: this.#parts.nameConfig(before.config),
        after: this.#parts.nameConfig(config),
        policy_before: policyOf(before),
        policy_after: policyOf(after),
        ...notEnforced(config, this.#parts.clock.now()),
      },
    });
    for (const warning of retrofitWarnings(config, this.#parts.clock.now()))
      this.#parts.log.warn({}, warning);
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

  async stop(): Promise<void> {
    const { audit, clock, limits, outbound, redis, stops } = this.#parts;
    for (const timer of this.#retiring.keys()) clearTimeout(timer);
    await Promise.all([...this.#retiring.values()].map((close) => close()));
    await Promise.all([...this.wiring.backends.values()].map(({ upstream }) => upstream.close()));
    await this.wiring.authorizationServer?.close();
    await stops.close();
    await limits.close();
    await this.#parts.denials.close();
    await redis?.close();
    this.#parts.pins.close();
    this.#parts.refusals.close();
    audit.event({ timestamp: timestamp(clock.now()), event: 'gateway.stopped' });
    await audit.close(); // its copies still go out
    await this.#parts.telemetry.close();
    await outbound.close();
  }
}

function policyOf({ site }: Wiring): string {
  return policyHash(site.servers.values());
}

/** Of an event about a tool, for who asks the trail by server or tool. */
function placeOf({
  server,
  tool,
}: Readonly<Record<string, unknown>>): Pick<AuditEvent, 'server' | 'tool_name'> {
  return {
    ...(typeof server === 'string' ? { server } : {}),
    ...(typeof tool === 'string' ? { tool_name: tool } : {}),
  };
}

/** An approval is to be in force within a second or two. */
const pinsPollMs = 500;

/** What is kept back has changed: the gateway reads the list again, and tells whoever listens for that. */
function watchPins(running: Running, { pins, streams, log }: Parts): () => void {
  pins.onChange((server) => {
    void running.wiring.backends.get(server)?.catalog.refresh();
    streams.toolsChanged(server);
  });
  const timer = setInterval(() => {
    try {
      pins.refresh();
    } catch (error) {
      log.error({ detail: messageOf(error) }, 'the pins could not be read; what was known stays in force');
    }
  }, pinsPollMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function openPort(running: Running, parts: Parts): Promise<Listening> {
  return listen(
    running.wiring.config,
    (request, response) => {
      // One reference for the whole request: a reload does not change it half-way.
      const { site } = running.wiring;
      if (parts.isStopping()) response.shouldKeepAlive = false;
      route(request, response, site).catch((error: unknown) => fault(error, { request, response, site }));
    },
    parts.refusals,
  );
}

function isRunning(backend: Backend, wiring: Wiring): boolean {
  return wiring.backends.get(backend.config.name) === backend;
}

async function start(backend: Backend, log: Log): Promise<StartFailure | null> {
  const { name } = backend.config;
  try {
    await backend.upstream.start();
    const tools = await backend.catalog.refresh();
    if (tools === null) return { server: name, detail: 'its tool list cannot be read' };
    log.info({ server: name, tools }, 'the MCP server is ready');
    return null;
  } catch (error) {
    const detail = neutralText(messageOf(error), 500);
    log.error({ server: name, detail }, 'the MCP server did not start');
    return { server: name, detail };
  }
}

function describe(
  wiring: Wiring,
  audit: OpenAuditTrail,
  clock: Clock,
): Omit<Gateway, 'started' | 'reload' | 'refused' | 'close'> {
  const { config, authorizationServer } = wiring;
  return {
    servers: config.servers.map(({ name, resource }) => ({ name, url: resource })),
    issuer: authorizationServer?.issuer ?? null,
    console: null,
    setup: authorizationServer?.setupUrl() ?? null,
    auditFile: audit.file,
    warnings: [...retrofitWarnings(config, clock.now()), ...warnings(config)],
  };
}

function warnings(config: Config): string[] {
  const found = weakenedDetections(config);
  const confirmed = (config.tools ?? []).filter((rule) => rule.confirm !== null).map((rule) => rule.source);
  if (confirmed.length > 0) {
    found.push(
      `calls that need confirmation (${confirmed.join(', ')}) are refused: this version cannot ask anyone yet`,
    );
  }
  if (config.postgres && config.auth.embedded) {
    found.push(
      'postgres: has the audit log alone: accounts, clients and grants stay in the data directory, so gateways on ' +
        'several machines need auth.issuers in place of the embedded authorization server',
    );
  }
  for (const { issuer, audience } of config.auth.issuers) {
    if (audience === null) {
      found.push(
        `tokens of ${issuer} are bound to their client alone: one that is meant for another service is accepted`,
      );
    }
  }
  found.push(...telemetryWarnings(config));
  for (const { name, upstream } of config.servers) {
    if (upstream.kind === 'http' && isPlainAndFar(upstream.url)) {
      found.push(
        `calls to ${name} cross the network in plain text: ${new URL(upstream.url).origin} has no https`,
      );
    }
  }
  return found;
}
