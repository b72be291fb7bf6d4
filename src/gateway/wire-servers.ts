import type { AuthorizationServer } from '../authorization-server/index.ts';
import type { Clock } from '../base/index.ts';
import type { Config, ServerConfig } from '../config/index.ts';
import {
  type Authenticator,
  createAuthenticator,
  createNonces,
  createPossession,
  proofLifetimeMs,
  ReplayGuard,
  resourceMetadataUrl,
  sharedReplay,
  type Verifier,
} from '../identity/index.ts';
import type { ProtectedServer } from '../pipeline/index.ts';
import type { Policy } from '../policy/index.ts';
import { retrofitOf, withRetrofit } from './retrofit.ts';
import { argumentsCheckFor } from './wire-arguments.ts';
import type { Backend } from './wire-backends.ts';
import type { Parts } from './wire-parts.ts';

/** At most this many proofs of possession in the time that each is good for. */
const maxProofs = 250_000;

export function createReplayGuard(clock: Clock): ReplayGuard {
  return new ReplayGuard({ clock, lifetimeMs: proofLifetimeMs, maxEntries: maxProofs });
}

export interface ServerParts {
  readonly config: Config;
  readonly parts: Parts;
  readonly policy: Policy;
  readonly backend: Backend;
  readonly verifiers: readonly Verifier[];
  readonly authorizationServer: AuthorizationServer | null;
}

/** One MCP endpoint: who may call it, what for, and what is behind it. */
export function protectedServer(
  server: ServerConfig,
  { config, parts, policy, backend, verifiers, authorizationServer }: ServerParts,
): ProtectedServer {
  const { name, resource, upstream } = server;
  const dpop = dpopOf(server, parts);
  const retrofit = retrofitOf(server, config, parts.clock);
  const possession = possessionOf(resource, dpop, parts);
  const issued = createAuthenticator(verifiers, parts.clock, possession);
  const authenticator = withRetrofit(issued, retrofit, parts.clock);
  endRevoked({ name, authenticator, authorizationServer, parts });
  return {
    name,
    resource,
    resourceMetadata: resourceMetadataUrl(resource),
    baseline: policy.baseline(),
    authenticator,
    ...retrofit,
    dpop,
    stepUpExpected: ({ grantId, issuer }) => {
      if (grantId !== null && issuer === authorizationServer?.issuer)
        authorizationServer.expectStepUp(grantId);
    },
    policy,
    argumentsCheck: argumentsCheckFor(server, parts),
    keepsToken: upstream.kind === 'http' && upstream.exchange?.subject === 'caller',
    stops: parts.stops,
    upstream: backend.upstream,
    catalog: backend.catalog,
    pins: backend.pins,
  };
}

function dpopOf({ dpop: mode, dpopNonce }: ServerConfig, parts: Parts): ProtectedServer['dpop'] {
  const hasNonces = dpopNonce && mode !== 'off';
  return { mode, nonces: hasNonces ? createNonces(parts.nonceKey, parts.clock) : null };
}

function possessionOf(
  resource: string,
  dpop: ProtectedServer['dpop'],
  { replay, redis, clock }: Parts,
): ReturnType<typeof createPossession> {
  return createPossession({ ...dpop, resource, replay, shared: redis && sharedReplay(redis), clock });
}

interface RevocableServer {
  readonly name: string;
  readonly authenticator: Authenticator;
  readonly authorizationServer: AuthorizationServer | null;
  readonly parts: Parts;
}

/** What the embedded server revokes ends here at once, open streams included. */
function endRevoked({ name, authenticator, authorizationServer, parts }: RevocableServer): void {
  authorizationServer?.onRevoked(() => {
    authenticator.purge();
    parts.streams.endRevoked(name, (principal) => authenticator.isRevoked(principal));
  });
}
