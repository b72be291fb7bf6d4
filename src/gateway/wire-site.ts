import type { AuthorizationServer } from '../authorization-server/index.ts';
import type { Config } from '../config/index.ts';
import { resourceMetadata, wellKnownResourcePath } from '../identity/index.ts';
import type { ProtectedServer } from '../pipeline/index.ts';
import { createFront } from './front.ts';
import { createHealth } from './health.ts';
import { createPeerReader } from './peer.ts';
import type { Site } from './routes.ts';
import type { Wiring } from './wire.ts';
import type { Parts } from './wire-parts.ts';
import { runtimeOf } from './wire-runtime.ts';

interface SiteParts {
  readonly before: Wiring | null;
  readonly config: Config;
  readonly parts: Parts;
  readonly servers: Site['servers'];
  readonly authorizationServer: AuthorizationServer | null;
}

/** Everything that answers at a path. */
export function siteOf({ config, parts, servers, authorizationServer, before }: SiteParts): Site {
  const secure = config.publicUrl.startsWith('https:');
  return {
    runtime: runtimeOf(config, parts, before),
    servers,
    resourceMetadata: documents(config, [...servers.values()], authorizationServer),
    authorizationServer,
    assertionKeys: () => parts.assertions.publicKeys(),
    front: createFront(config),
    refusals: parts.refusals,
    peer: createPeerReader(config.trustedProxies),
    health: createHealth(
      () =>
        !parts.isStopping() &&
        parts.audit.healthy() &&
        [...servers.values()].every(({ upstream }) => upstream.state() !== 'down'),
    ),
    headers: secure ? { 'strict-transport-security': 'max-age=31536000' } : {},
  };
}

/** RFC 9728 section 3.1: between host and path. MCP also has the root form, which can speak of one server only. */
function documents(
  config: Config,
  servers: readonly ProtectedServer[],
  authorizationServer: AuthorizationServer | null,
): Site['resourceMetadata'] {
  const issuers = config.auth.issuers.map(({ issuer }) => issuer);
  if (authorizationServer) issuers.unshift(authorizationServer.issuer);
  const found = new Map(
    servers.map((server) => {
      const { resource, name, policy } = server;
      const scopes = config.auth.scopesAdvertised === 'all' ? policy.scopes() : policy.baseline();
      const path = new URL(server.resourceMetadata).pathname;
      return [path, resourceMetadata({ resource, name, issuers, scopes, dpop: server.dpop.mode })];
    }),
  );
  const only = found.size === 1 ? found.values().next().value : undefined;
  if (only) found.set(wellKnownResourcePath, only);
  return found;
}
