import { randomUUID } from 'node:crypto';
import type { Clock, Log } from '../base/index.ts';
import type { Config, ServerConfig } from '../config/index.ts';
import type { Outbound } from '../outbound/index.ts';
import {
  attribute,
  type CallTelemetry,
  createTraces,
  passTrace,
  text,
  type UpstreamPlace,
} from '../telemetry/index.ts';

/** Telemetry of this process. */
export interface OpenTelemetry {
  /** What the pipeline tells of calls. */
  readonly calls: CallTelemetry;
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

export function openTelemetry({ config, outbound, clock, log }: TelemetryParts): OpenTelemetry {
  const wanted = config().telemetry;
  const resource = [text(attribute.serviceName, 'portcullis'), text(attribute.serviceInstance, randomUUID())];
  const placeOf = placesIn(config);
  const traces =
    wanted.traces &&
    createTraces({ ...wanted.traces, resource, placeOf, outbound, clock, log, random: Math.random });
  return {
    calls: {
      begin: traces?.begin ?? passTrace,
      ended: (call) => traces?.ended(call),
      intentTook() {},
    },
    async close() {
      await traces?.close(closeWithinMs);
    },
  };
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
