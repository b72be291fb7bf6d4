import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose';
import type { AuditTrail } from '../audit/index.ts';
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  createAuthorizationServer,
  type Denials,
  grantClaim,
  organizationClaim,
} from '../authorization-server/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Config, HttpUpstreamConfig, IssuerConfig, ServerConfig } from '../config/index.ts';
import {
  createAuthenticator,
  createIntrospectionVerifier,
  createJwksVerifier,
  createNonces,
  createPossession,
  Introspector,
  IssuerKeys,
  matchingAudience,
  proofLifetimeMs,
  ReplayGuard,
  resourceMetadata,
  resourceMetadataUrl,
  sharedReplay,
  type Verifier,
  wellKnownResourcePath,
} from '../identity/index.ts';
import { createConcurrency, createFloodGuard, createLoopGuard, createPenalties } from '../limits/index.ts';
import type { Outbound } from '../outbound/index.ts';
import type { Pins, ServerPins } from '../pins/index.ts';
import {
  type CallsInFlight,
  createBodyBudget,
  type OpenStreams,
  type ProtectedServer,
  type Runtime,
  type SessionSeal,
} from '../pipeline/index.ts';
import { builtInScopes, compilePolicy, describeScope, type Policy } from '../policy/index.ts';
import type { Stops } from '../stops/index.ts';
import type { RedisConnection } from '../store/index.ts';
import {
  type AssertionSigner,
  type Catalog,
  type CredentialsSwitch,
  createCatalog,
  createExchange,
  createHttpUpstream,
  createStdioUpstream,
  createVault,
  type Upstream,
  type UpstreamCredentials,
} from '../upstream/index.ts';
import { createFront } from './front.ts';
import { createHealth } from './health.ts';
import { createPeerReader } from './peer.ts';
import { isSame } from './reload.ts';
import { retrofitOf, withRetrofit } from './retrofit.ts';
import type { Site } from './routes.ts';
import { argumentsCheckFor } from './wire-arguments.ts';
import { denying } from './wire-denials.ts';
import type { OpenLimits } from './wire-limits.ts';
import type { OpenTelemetry } from './wire-telemetry.ts';
import type { Watch } from './wire-watch.ts';

/** What lives as long as the process: a reload keeps it. */
export interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** See `GatewayOptions`. */
  readonly clientMetadataFetch: typeof fetch | undefined;
  readonly audit: AuditTrail;
  /** Names configurations in the trail. */
  readonly nameConfig: (config: Config) => string;
  readonly limits: OpenLimits;
  readonly outbound: Outbound;
  readonly watch: Watch;
  readonly telemetry: OpenTelemetry;
  readonly sessions: SessionSeal;
  readonly streams: OpenStreams;
  readonly inFlight: CallsInFlight;
  /** What gateways on several machines share; null where there is one. */
  readonly redis: RedisConnection | null;
  /** The kill switch. */
  readonly stops: Stops;
  /** Tokens of other issuers that were revoked here. */
  readonly denials: Denials;
  /** Proofs of possession that were used. */
  readonly replay: ReplayGuard;
  /** Derives the nonces that proofs are asked for. */
  readonly nonceKey: Uint8Array;
  readonly assertions: AssertionSigner;
  readonly pins: Pins;
  /** Of people at upstreams. */
  readonly connections: CredentialsSwitch;
  readonly isStopping: () => boolean;
}

/** At most this many proofs of possession in the time that each is good for. */
const maxProofs = 250_000;

export function createReplayGuard(clock: Clock): ReplayGuard {
  return new ReplayGuard({ clock, lifetimeMs: proofLifetimeMs, maxEntries: maxProofs });
}

/** One upstream and what belongs to it; kept over a reload that does not touch its configuration. */
export interface Backend {
  readonly config: ServerConfig;
  readonly upstream: Upstream;
  readonly catalog: Catalog;
  readonly pins: ServerPins;
}

export interface Wiring {
  readonly config: Config;
  readonly site: Site;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly authorizationServer: AuthorizationServer | null;
}

/** Issuers' clocks may differ from ours by this much (the most that is accepted anywhere). */
const skewSeconds = 30;
/** Request bodies in memory at once, over all callers and for each; never less than one of the largest. */
const bodyBytes = { total: 128 * 1024 * 1024, owner: 16 * 1024 * 1024 } as const;
const mostStreams = 10_000;

/** Configuration → everything that serves it. The only file that names implementations. */
export async function wire(config: Config, parts: Parts, before: Wiring | null): Promise<Wiring> {
  const usePins = parts.pins.prepare(
    config.pins,
    config.servers.map(({ name }) => name),
  );
  const backends = new Map<string, Backend>();
  for (const server of config.servers) {
    backends.set(server.name, unchanged(server, before) ?? (await newBackend(server, parts)));
  }
  const policies = new Map(config.servers.map((server) => [server.name, policyFor(server, config)]));
  const authorizationServer = await authorizationServerFor(config, [...policies.values()], parts);
  const verifiers = verifierFactory(config, authorizationServer, parts);
  const servers = config.servers.map((server): ProtectedServer => {
    const policy = required(policies.get(server.name));
    const dpop = {
      mode: server.dpop,
      nonces: server.dpopNonce && server.dpop !== 'off' ? createNonces(parts.nonceKey, parts.clock) : null,
    };
    const { resource } = server;
    const { replay, redis, clock } = parts;
    const shared = redis && sharedReplay(redis);
    const possession = createPossession({ ...dpop, resource, replay, shared, clock });
    const retrofit = retrofitOf(server, config, clock);
    const issued = createAuthenticator(verifiers(server), clock, possession);
    const authenticator = withRetrofit(issued, retrofit, clock);
    authorizationServer?.onRevoked(() => {
      authenticator.purge();
      parts.streams.endRevoked(server.name, (principal) => authenticator.isRevoked(principal));
    });
    return {
      name: server.name,
      resource: server.resource,
      resourceMetadata: resourceMetadataUrl(server.resource),
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
      keepsToken: server.upstream.kind === 'http' && server.upstream.exchange?.subject === 'caller',
      stops: parts.stops,
      ...required(backends.get(server.name)),
    };
  });
  parts.connections.use(authorizationServer?.credentials ?? null);
  usePins();
  return {
    config,
    backends,
    authorizationServer,
    site: siteOf({ config, parts, servers, authorizationServer, before }),
  };
}

function unchanged(server: ServerConfig, before: Wiring | null): Backend | undefined {
  const running = before?.backends.get(server.name);
  return running && isSame(running.config, server) ? running : undefined;
}

async function newBackend(server: ServerConfig, parts: Parts): Promise<Backend> {
  const { name } = server;
  const { clock, log, environment } = parts;
  const upstream =
    server.upstream.kind === 'http'
      ? await createHttpUpstream({
          ...parts,
          name,
          config: server.upstream,
          credentials: credentialsFor(server.name, server.upstream, parts),
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

function policyFor(server: ServerConfig, config: Config): Policy {
  const { tools, resources, prompts } = config;
  return compilePolicy({ server: server.name, rules: tools, resources, prompts });
}

async function authorizationServerFor(
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

function verifierFactory(
  config: Config,
  embedded: AuthorizationServer | null,
  parts: Parts,
): (server: ServerConfig) => Verifier[] {
  const asked = new Map(config.auth.issuers.map((issuer) => [issuer, sourcesOf(issuer, parts)]));
  return (server) => {
    const external = config.auth.issuers.map((issuer) => {
      const rules = { ...issuer, audience: audienceOf(server, issuer, config) };
      const sources = { ...required(asked.get(issuer)), config, clock: parts.clock };
      return denying(externalVerifier(rules, sources), parts.denials);
    });
    return embedded ? [embeddedVerifier(embedded, server, parts.clock), ...external] : external;
  };
}

/** What knows of an issuer's tokens; shared by the servers. */
interface IssuerSources {
  readonly keys: IssuerKeys;
  readonly introspector: Introspector | null;
}

function sourcesOf(issuer: IssuerConfig, parts: Parts): IssuerSources {
  const { introspection } = issuer;
  return {
    keys: new IssuerKeys({ ...issuer, ...parts }),
    introspector:
      introspection &&
      new Introspector({
        issuer: issuer.issuer,
        endpoint: introspection.endpoint,
        clientId: introspection.clientId,
        credentials: introspection,
        ...parts,
      }),
  };
}

/** What the operator lists, but for the URLs of the other servers: a token for one is none for another (RFC 8707 section 2). */
function audienceOf(server: ServerConfig, issuer: IssuerConfig, config: Config): readonly string[] | null {
  const others = config.servers.filter((other) => other !== server).map(({ resource }) => resource);
  return issuer.audience?.filter((name) => matchingAudience(name, others) === null) ?? null;
}

function externalVerifier(
  issuer: IssuerConfig,
  { keys, introspector, config, clock }: IssuerSources & { config: Config; clock: Clock },
): Verifier {
  const { algorithms, typ, claims } = issuer;
  // Gateways of ours that issue tokens for this one say their grant: it can be revoked as a whole.
  const rules = { ...issuer, ...claims, grant: grantClaim };
  const signature = createJwksVerifier({ rules, algorithms, typ, key: keys.find, skewSeconds, clock });
  if (introspector === null) return signature;
  return createIntrospectionVerifier({
    rules,
    introspector,
    signature: issuer.verify === 'both' ? signature : null,
    maxAgeMs: config.auth.revocation.withinSeconds * 1000,
    takesOpaque: issuer.introspection?.takesOpaque ?? false,
    skewSeconds,
    clock,
  });
}

/** Our own tokens: keys from memory (no request to ourselves), exactly this server's resource, one clock, the deny-list. */
function embeddedVerifier(embedded: AuthorizationServer, server: ServerConfig, clock: Clock): Verifier {
  const { issuer } = embedded;
  return createJwksVerifier({
    rules: {
      issuer,
      audience: [server.resource],
      // Ours name one server each: a token that names another as well is none of ours.
      exclusiveAudience: true,
      scopes: 'scope',
      organization: organizationClaim,
      grant: grantClaim,
    },
    algorithms: ['ES256'],
    typ: ['at+jwt'],
    key: localKeys(embedded),
    skewSeconds: 0,
    clock,
    isRevoked: ({ tokenId: jti, grantId, clientId, subject }) =>
      embedded.isRevoked({ jti, grantId, clientId, subject }),
  });
}

function localKeys(embedded: AuthorizationServer): JWTVerifyGetKey {
  let current = embedded.keys();
  let find = createLocalJWKSet(current);
  return (header, token) => {
    const now = embedded.keys();
    if (now !== current) {
      current = now;
      find = createLocalJWKSet(now);
    }
    return find(header, token);
  };
}

interface SiteParts {
  readonly before: Wiring | null;
  readonly config: Config;
  readonly parts: Parts;
  readonly servers: readonly ProtectedServer[];
  readonly authorizationServer: AuthorizationServer | null;
}

function siteOf({ config, parts, servers, authorizationServer, before }: SiteParts): Site {
  const secure = config.publicUrl.startsWith('https:');
  return {
    runtime: runtimeOf(config, parts, before),
    servers: new Map(config.servers.map(({ path }, index) => [path, required(servers[index])])),
    resourceMetadata: documents(config, servers, authorizationServer),
    authorizationServer,
    assertionKeys: () => parts.assertions.publicKeys(),
    front: createFront(config),
    peer: createPeerReader(config.trustedProxies),
    health: createHealth(
      () =>
        !parts.isStopping() &&
        parts.audit.healthy() &&
        servers.every(({ upstream }) => upstream.state() !== 'down'),
    ),
    headers: secure ? { 'strict-transport-security': 'max-age=31536000' } : {},
  };
}

function runtimeOf(config: Config, parts: Parts, before: Wiring | null): Runtime {
  const { clock, log, audit, sessions, streams, inFlight } = parts;
  const { limits, http } = config;
  const guards = { ...guardsFor(config, before), bodies: bodiesFor(config, before) };
  const { limiter } = parts.limits;
  const telemetry = parts.telemetry.calls;
  return { clock, log, audit, telemetry, limiter, ...guards, limits, http, sessions, streams, inFlight };
}

function bodiesFor({ http: { maxBodyBytes } }: Config, before: Wiring | null): Runtime['bodies'] {
  if (before?.config.http.maxBodyBytes === maxBodyBytes) return before.site.runtime.bodies;
  const { total, owner } = bodyBytes;
  return createBodyBudget({
    total: Math.max(total, 4 * maxBodyBytes),
    owner: Math.max(owner, maxBodyBytes),
  });
}

/** Counters go on over a reload that leaves the limits as they are: what was taken is not given back. */
function guardsFor(
  { limits }: Config,
  before: Wiring | null,
): Pick<Runtime, 'flood' | 'loops' | 'penalties' | 'concurrency' | 'streamSlots'> {
  if (before && isSame(before.config.limits, limits)) {
    const { flood, loops, penalties, concurrency, streamSlots } = before.site.runtime;
    return { flood, loops, penalties, concurrency, streamSlots };
  }
  return {
    flood: createFloodGuard({
      address: limits.address,
      failures: limits.addressFailures,
      maxAddresses: 100_000,
    }),
    loops: limits.loop && createLoopGuard({ ...limits.loop, maxCalls: 20_000 }),
    penalties: createPenalties(),
    concurrency: createConcurrency(limits.concurrent),
    streamSlots: createConcurrency({ client: limits.concurrent.streams, upstream: mostStreams }),
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

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('wiring is incomplete');
  return value;
}
