import { randomUUID } from 'node:crypto';
import type { Clock, Log } from '../base/index.ts';
import type { Config, ServerConfig } from '../config/index.ts';
import type { Outbound } from '../outbound/index.ts';
import {
  attribute,
  type CallMeters,
  type CallTelemetry,
  createCallMeters,
  createTraces,
  metric,
  observeProcess,
  type Pair,
  type Push,
  passTrace,
  prometheusText,
  pushMetrics,
  Registry,
  type Traces,
  text,
  type UpstreamPlace,
} from '../telemetry/index.ts';
import { gatewayInfo } from '../upstream/index.ts';
import { isLoopbackHost, isPlainAndFar } from './loopback.ts';
import { listenForScrapes } from './metrics-listener.ts';
import { type GaugeSources, observeGateway } from './wire-gauges.ts';

/** Telemetry of this process. */
export interface OpenTelemetry {
  /** What the pipeline tells of calls. */
  readonly calls: CallTelemetry;
  /** Takes up what can be read of a gateway, and listens for who reads it. Rejects when the address cannot be had. */
  start(sources: GaugeSources): Promise<void>;
  /** Sends what waits, for a moment. The way out must still be open. */
  close(): Promise<void>;
}

export interface TelemetryParts {
  /** What serves now. */
  readonly config: () => Config;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly log: Log;
}

const closeWithinMs = 3_000;

/** What the configuration does not ask for is not made: nothing counts, nothing listens, nothing is kept. */
export function openTelemetry(parts: TelemetryParts): OpenTelemetry {
  const { config, log } = parts;
  const { traces: tracing, metrics, prometheus } = config().telemetry;
  const who: readonly Pair[] = [
    [attribute.serviceName, gatewayInfo.name],
    [attribute.serviceVersion, gatewayInfo.version],
    [attribute.serviceInstance, randomUUID()],
  ];
  const resource = who.map(([key, value]) => text(key, value));
  const traces =
    tracing &&
    createTraces({ ...parts, ...tracing, resource, placeOf: placesIn(config), random: Math.random });
  const registry = metrics || prometheus ? new Registry() : null;
  const meters = registry && createCallMeters(registry);
  let push: Push | null = null;
  let listener: { close(): Promise<void> } | null = null;
  return {
    calls: callTelemetry(traces, meters),
    async start(sources) {
      if (registry === null) return;
      observeGateway(registry, sources);
      observeProcess(registry);
      observeItself(registry, traces, () => push?.failures() ?? 0);
      const collect = () => registry.collect();
      if (metrics) push = pushMetrics({ ...parts, ...metrics, resource, collect });
      if (prometheus === null) return;
      const { refusals } = sources.parts;
      listener = await listenForScrapes({
        ...{ ...prometheus, refusals },
        text: () => prometheusText(collect(), who),
      });
      const { host, port, token } = prometheus;
      log.info({ host, port, token: token !== null }, 'metrics are at /metrics of this address');
    },
    async close() {
      await listener?.close();
      await Promise.all([traces?.close(closeWithinMs), push?.close(closeWithinMs)]);
    },
  };
}

function callTelemetry(traces: Traces | null, meters: CallMeters | null): CallTelemetry {
  return {
    begin: traces?.begin ?? passTrace,
    ended:
      traces || meters
        ? (call) => {
            traces?.ended(call);
            meters?.ended(call);
          }
        : null,
    intentTook: meters?.intentTook ?? null,
  };
}

/** Whether telemetry itself loses anything. */
function observeItself(registry: Registry, traces: Traces | null, pushFailures: () => number): void {
  registry.observed(
    'sum',
    {
      name: metric.exportFailures,
      unit: '{request}',
      text: 'Requests to the collector without success.',
      keys: [attribute.kind],
    },
    () => [
      [['metrics'], pushFailures()],
      [['traces'], traces?.state().failures ?? 0],
    ],
  );
  if (traces === null) return;
  registry.observed(
    'sum',
    {
      name: metric.spans,
      unit: '{call}',
      text: 'Calls whose spans were exported, found no room (dropped), or were turned away or given up (failed).',
      keys: [attribute.state],
    },
    () => {
      const { exported, dropped, failed } = traces.state();
      return [
        [['exported'], exported],
        [['dropped'], dropped],
        [['failed'], failed],
      ];
    },
  );
  registry.observed(
    'gauge',
    { name: metric.spansWaiting, unit: '{call}', text: 'Calls whose spans wait for the collector.' },
    () => [[[], traces.state().waiting]],
  );
}

/** What the operator should know at start. */
export function telemetryWarnings({ telemetry: { traces, metrics, prometheus } }: Config): string[] {
  const found: string[] = [];
  const url = (traces ?? metrics)?.collector.url;
  if (url !== undefined && isPlainAndFar(url)) {
    found.push(`telemetry crosses the network in plain text: ${new URL(url).origin} has no https`);
  }
  if (prometheus && prometheus.token === null && !isLoopbackHost(prometheus.host)) {
    const { host, port } = prometheus;
    found.push(`anybody who reaches ${host}:${port} can read the metrics: telemetry.prometheus has no token`);
  }
  return found;
}

/** Made anew where the configuration is another. */
function placesIn(config: () => Config): (server: string) => UpstreamPlace | undefined {
  let known: Config | null = null;
  let places = new Map<string, UpstreamPlace>();
  return (server) => {
    const now = config();
    if (now !== known) {
      known = now;
      places = new Map(now.servers.map((one) => [one.name, placeOf(one)]));
    }
    return places.get(server);
  };
}

function placeOf({ upstream }: ServerConfig): UpstreamPlace {
  if (upstream.kind === 'stdio') return { transport: 'pipe', address: null, port: null };
  const { protocol, hostname, port } = new URL(upstream.url);
  const standard = protocol === 'https:' ? 443 : 80;
  return {
    transport: 'tcp',
    address: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? standard : Number(port),
  };
}
