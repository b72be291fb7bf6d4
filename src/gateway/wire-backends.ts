import type { HttpUpstreamConfig, ServerConfig } from '../config/index.ts';
import type { ServerPins } from '../pins/index.ts';
import {
  type Catalog,
  createCatalog,
  createExchange,
  createHttpUpstream,
  createStdioUpstream,
  type Upstream,
  type UpstreamCredentials,
} from '../upstream/index.ts';
import type { Parts } from './wire-parts.ts';

/** One upstream and what belongs to it; kept over a reload that does not touch its configuration. */
export interface Backend {
  readonly config: ServerConfig;
  readonly upstream: Upstream;
  readonly catalog: Catalog;
  readonly pins: ServerPins;
}

export async function createBackend(server: ServerConfig, parts: Parts): Promise<Backend> {
  const { name } = server;
  const { clock, log, environment } = parts;
  const upstream =
    server.upstream.kind === 'http'
      ? await createHttpUpstream({
          ...parts,
          name,
          config: server.upstream,
          credentials: credentialsFor(name, server.upstream, parts),
        })
      : createStdioUpstream({ name, config: server.upstream, clock, log, environment });
  const pins = parts.pins.server(name, hasListsOfOwn(server));
  return { config: server, upstream, pins, catalog: createCatalog({ name, upstream, pins, clock, log }) };
}

/** A server's upstream alone, asked as the gateway itself: for commands. */
export async function openUpstream(
  { name, upstream: config }: ServerConfig,
  { clock, log, environment }: Pick<Parts, 'clock' | 'log' | 'environment'>,
): Promise<Upstream> {
  if (config.kind === 'stdio') return createStdioUpstream({ name, config, clock, log, environment });
  return createHttpUpstream({ name, config: { ...config, assertion: null, connect: null }, log });
}

/** Whether what one caller's account or process lists says nothing of another's. */
function hasListsOfOwn({ upstream }: ServerConfig): boolean {
  return upstream.kind === 'http' ? Boolean(upstream.connect) : upstream.isolation === 'principal';
}

/** A token for each caller: by exchange, or what the person connected. */
function credentialsFor(name: string, { exchange }: HttpUpstreamConfig, parts: Parts): UpstreamCredentials {
  return exchange ? createExchange({ ...parts, name, config: exchange }) : parts.connections;
}
