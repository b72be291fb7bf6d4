import type { Clock, Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { tellIn } from './events.ts';
import { type OrphanWatch, reportOrphans } from './orphans.ts';
import { fault, route } from './routes.ts';
import { Running, type StartFailure } from './running.ts';
import { type Listening, listen } from './server.ts';
import { drain } from './shutdown.ts';
import { watchTls } from './tls.ts';
import { warnings } from './warnings.ts';
import { type Wiring, wire } from './wire.ts';
import { type OpenParts, openParts, type Parts } from './wire-parts.ts';
import { watchPins } from './wire-pins.ts';
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

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const now = { config: options.config, isStopping: false };
  const opened = await openParts(options, { config: () => now.config, isStopping: () => now.isStopping });
  const { parts, trail } = opened;
  const tell = tellIn(parts.audit, parts.clock);
  const { running, listening, orphans } = await serve(options.config, opened);
  const unwatch = [orphans.stop, ...watch(running, listening, parts)];
  const started = running.startBackends();
  running.tellStarted();
  return {
    ...describe(running.wiring, parts.clock),
    auditFile: trail.file,
    started,
    async reload(config) {
      await running.reload(config);
      now.config = config;
    },
    refused(faults) {
      const data = { faults: faults.length, detail: faults[0] ?? null };
      tell('config.refused', { data });
    },
    async close() {
      if (now.isStopping) return;
      now.isStopping = true;
      for (const end of unwatch) end();
      await drain(listening.server, parts.streams, running.wiring.config.http.drainSeconds * 1000);
      await running.stop();
      await opened.close();
    },
  };
}

/** From here on requests are answered. When that cannot be, nothing stays open. */
async function serve(
  config: Config,
  { parts, trail, close }: OpenParts,
): Promise<{ running: Running; listening: Listening; orphans: OrphanWatch }> {
  let running: Running | null = null;
  let orphans: OrphanWatch | null = null;
  try {
    orphans = await reportOrphans(config, parts.audit, parts);
    const serving = new Running(await wire(config, parts, null), parts);
    running = serving;
    await parts.telemetry.start({ trail, parts, wiring: () => serving.wiring });
    return { running: serving, listening: await openPort(serving, parts), orphans };
  } catch (error) {
    orphans?.stop();
    await running?.stop();
    await close();
    throw error;
  }
}

/** What may change while the gateway serves. Gives what ends each watch. */
function watch(running: Running, { server }: Listening, parts: Parts): (() => void)[] {
  const { denials, streams, pins, log } = parts;
  const wiring = () => running.wiring;
  const servers = () => wiring().site.servers.values();
  denials.onAdded(() => {
    for (const { name, authenticator } of servers()) {
      streams.endRevoked(name, (principal) => authenticator.isRevoked(principal));
    }
  });
  const { tls } = wiring().config;
  const current = () => ({
    servers: servers(),
    withinSeconds: wiring().config.auth.revocation.withinSeconds,
  });
  return [
    tls ? watchTls(server, tls, log) : () => {},
    watchWithdrawals({ current, streams, log }),
    watchPins({ wiring, pins, streams, log }),
  ];
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

function describe(
  { config, authorizationServer }: Wiring,
  clock: Clock,
): Pick<Gateway, 'servers' | 'issuer' | 'console' | 'setup' | 'warnings'> {
  return {
    servers: config.servers.map(({ name, resource }) => ({ name, url: resource })),
    issuer: authorizationServer?.issuer ?? null,
    console: null,
    setup: authorizationServer?.setupUrl() ?? null,
    warnings: warnings(config, clock.now()),
  };
}
