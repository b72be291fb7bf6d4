import type { Clock, Log } from '../../base/index.ts';
import type { UpstreamConnectConfig } from '../../config/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import type { Db } from '../../store/index.ts';
import type { Vault } from '../../upstream/index.ts';
import { type ConnectProvider, createConnectProvider } from './provider.ts';
import { createReturnLink, type ReturnLink } from './return-link.ts';
import { type ConnectionOwner, type ConnectionStore, createConnectionStore } from './store.ts';

export const connectPath = '/connect';

/** A server where people use accounts of their own. */
export interface ConnectedServer {
  readonly name: string;
  /** Of the MCP server behind the gateway: where the tokens are sent. */
  readonly upstreamUrl: string;
  readonly connect: UpstreamConnectConfig;
}

export interface ConnectionsOptions {
  readonly vault: Vault;
  readonly servers: readonly ConnectedServer[];
}

export interface Connections {
  readonly store: ConnectionStore;
  /** By the server's name. */
  readonly providers: ReadonlyMap<string, ConnectProvider>;
  owner(server: string, subject: string): ConnectionOwner;
  /** Where a person connects. */
  link(server: string): string;
  readonly returnLink: ReturnLink;
}

export interface ConnectionsParts {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly outbound: Outbound;
  readonly publicUrl: string;
  readonly issuer: string;
}

export function createConnections(options: ConnectionsOptions, parts: ConnectionsParts): Connections {
  const { db, clock, outbound, publicUrl, issuer } = parts;
  const link = (server: string) => `${publicUrl}${connectPath}/${server}`;
  const bindings = new Map(options.servers.map((server) => [server.name, bindingOf(server)]));
  return {
    store: createConnectionStore({ db, clock, vault: options.vault }),
    providers: new Map(
      options.servers.map(({ name, connect: config }) => {
        const redirectUri = `${link(name)}/callback`;
        return [name, createConnectProvider({ config, redirectUri, outbound, clock })];
      }),
    ),
    owner: (server, subject) => ({ server, subject, issuer, binding: bindings.get(server) ?? [] }),
    link,
    returnLink: createReturnLink({ publicUrl, isKnown: (server) => bindings.has(server), link }),
  };
}

function bindingOf({ upstreamUrl, connect }: ConnectedServer): string[] {
  const { issuer, endpoints, clientId, resource } = connect;
  return [issuer ?? '', endpoints?.token ?? '', clientId, resource ?? '', new URL(upstreamUrl).origin];
}
