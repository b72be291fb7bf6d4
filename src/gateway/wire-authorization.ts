import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  createAuthorizationServer,
} from '../authorization-server/index.ts';
import type { Config } from '../config/index.ts';
import { builtInScopes, describeScope, type Policy } from '../policy/index.ts';
import { createVault } from '../upstream/index.ts';
import type { Parts } from './wire-parts.ts';

/** The embedded authorization server; null where `auth.issuers` replace it. */
export async function authorizationServerFor(
  config: Config,
  policies: readonly Policy[],
  parts: Parts,
): Promise<AuthorizationServer | null> {
  if (config.auth.embedded === null) return null;
  const scopes = [...new Set([...builtInScopes, ...policies.flatMap((policy) => policy.scopes())])];
  return createAuthorizationServer({
    publicUrl: config.publicUrl,
    resources: config.servers.map(({ resource, name }) => ({ resource, name })),
    scopes: scopes.map((scope) => ({ scope, description: describeScope(scope) })),
    baseline: [...new Set(policies.flatMap((policy) => policy.baseline()))],
    scopesForRole: { admin: scopes, user: scopes.filter((scope) => scope !== 'mcp:tools:admin') },
    config: config.auth.embedded,
    ...connectionsOf(config),
    revokedWithinSeconds: config.auth.revocation.withinSeconds,
    dataDir: config.data,
    clock: parts.clock,
    log: parts.log,
    audit: (event) => parts.audit.event(event),
    ...(parts.clientMetadataFetch ? { cimdFetch: parts.clientMetadataFetch } : {}),
  });
}

/** Servers where people use accounts of their own; the configuration is refused without a key. */
function connectionsOf(config: Config): Pick<AuthorizationServerOptions, 'connections'> {
  const servers = config.servers.flatMap(({ name, upstream }) =>
    upstream.kind === 'http' && upstream.connect
      ? [{ name, upstreamUrl: upstream.url, connect: upstream.connect }]
      : [],
  );
  return servers.length === 0 ? {} : { connections: { vault: createVault(config.auth.vaultKeys), servers } };
}
