import { resolve as resolvePath } from 'node:path';
import { Secret } from '../base/index.ts';
import type { RateLimit, ToolLimit } from '../policy/index.ts';
import { resolveAlerts } from './alerts.ts';
import { resolveAudit } from './audit.ts';
import { resolveCopies } from './audit-also.ts';
import type { AuthConfig, EmbeddedAuthConfig } from './auth-config.ts';
import { resolveCapture } from './capture.ts';
import { serverPathOf } from './check.ts';
import { resolveClients } from './clients.ts';
import type { Config, LimitsConfig, ToolRuleConfig } from './config.ts';
import { resolveConnect, resolveVaultKeys } from './connect.ts';
import { resolveDetections } from './detections.ts';
import { resolveExchange } from './exchange.ts';
import { resolveIssuers } from './issuers.ts';
import { resolveMachines } from './machines.ts';
import { observedLayers, resolveObservedAuthentication } from './observe.ts';
import { resolvePostgres } from './postgres.ts';
import { embeddedDefaults, type FileConfig } from './schema.ts';
import type { Secrets } from './secrets.ts';
import type { ServerConfig } from './server-config.ts';
import { resolveSignIn } from './sign-in.ts';
import { resolveStaticKeys } from './static-keys.ts';
import { resolveTelemetry } from './telemetry.ts';
import { parseDuration, parseRate, parseRates } from './units.ts';
import { withPrefix } from './values.ts';

export interface ResolveContext {
  readonly directory: string;
  readonly secrets: Secrets;
}

/** Turns a checked file into the configuration that the rest reads. Pure; expects that every check has passed. */
export function resolveConfig(file: FileConfig, context: ResolveContext): Config {
  const publicUrl = file.publicUrl.replace(/\/$/, '');
  return deepFreeze({
    publicUrl,
    listen: { host: file.listen.host.replace(/^\[|\]$/g, ''), port: file.listen.port },
    tls: file.tls ? tlsFiles(file.tls, context.directory) : null,
    trustedProxies: file.trustedProxies.map(withPrefix),
    data: resolvePath(context.directory, file.data),
    redis: redis(file.redis, context.secrets),
    postgres: resolvePostgres(file.postgres, context.secrets),
    observe: observedLayers(file),
    servers: Object.keys(file.servers).map((name) => server(name, publicUrl, { file, context })),
    auth: authentication(file.auth, context),
    ...resolvePolicy(file),
    limits: limits(file.limits),
    audit: { ...resolveAudit(file.audit, context), also: resolveCopies(file.audit.also, context) },
    pins: pins(file.pins, context.directory),
    http: file.http,
    detections: resolveDetections(file.detections),
    alerts: resolveAlerts(file.alerts, context.secrets),
    telemetry: resolveTelemetry(file.telemetry, context.secrets),
  });
}

export function tlsFiles(tls: NonNullable<FileConfig['tls']>, directory: string): NonNullable<Config['tls']> {
  const path = (written: string | { readonly file: string }) =>
    resolvePath(directory, typeof written === 'string' ? written : written.file);
  const { cert, key, clientCertificates } = tls;
  return {
    certFile: path(cert),
    keyFile: path(key),
    clientCaFile: clientCertificates ? path(clientCertificates.ca) : null,
  };
}

function server(
  name: string,
  publicUrl: string,
  { file, context }: { file: FileConfig; context: ResolveContext },
): ServerConfig {
  const path = serverPathOf(name, file.servers);
  const {
    dpop = 'allowed',
    dpopNonce = false,
    validateArguments = true,
    staticKeys = [],
  } = file.servers[name] ?? {};
  return {
    name,
    path,
    resource: publicUrl + path,
    dpop,
    dpopNonce,
    validateArguments,
    staticKeys: resolveStaticKeys(name, staticKeys, context.secrets),
    upstream: upstream(name, file, context),
  };
}

function upstream(name: string, file: FileConfig, context: ResolveContext): ServerConfig['upstream'] {
  const written = file.servers[name]?.upstream;
  if (!written) throw new Error(`no server ${name}`);
  const secretsOf = (key: string, names: object) =>
    Object.fromEntries(
      Object.keys(names).map((inner) => [
        inner,
        context.secrets.get(`servers.${name}.upstream.${key}.${inner}`) ?? new Secret(''),
      ]),
    );
  const requestTimeoutMs = milliseconds(written.timeout);
  if ('url' in written) {
    const headers = secretsOf('headers', written.headers);
    const { url, connections } = written;
    const assertion = written.assertion
      ? { header: written.assertion.header.toLowerCase(), audience: written.assertion.audience ?? null }
      : null;
    const connect = resolveConnect(name, written.connect, context.secrets);
    const exchange = resolveExchange(name, written, context.secrets);
    return { kind: 'http', url, headers, assertion, connect, exchange, requestTimeoutMs, connections };
  }
  return {
    kind: 'stdio',
    command: written.command as [string, ...string[]],
    env: secretsOf('env', written.env),
    cwd: written.cwd === undefined ? null : resolvePath(context.directory, written.cwd),
    isolation: written.isolation,
    protocol: written.protocol,
    requestTimeoutMs,
  };
}

function authentication(auth: FileConfig['auth'], context: ResolveContext): AuthConfig {
  return {
    embedded: embeddedServer(auth, context),
    issuers: resolveIssuers(auth, context.secrets),
    revocation: auth.revocation,
    vaultKeys: resolveVaultKeys(auth.vaultKey, context.secrets),
    scopesAdvertised: auth.scopesAdvertised,
    observe: resolveObservedAuthentication(auth.observe),
  };
}

/** On unless it is switched off, or issuers replace it and nothing asks for it. */
function embeddedServer(
  { embedded, issuers }: FileConfig['auth'],
  context: ResolveContext,
): EmbeddedAuthConfig | null {
  if (embedded === false || (embedded === undefined && issuers.length > 0)) return null;
  const written = embedded ?? embeddedDefaults;
  const { accessTokenMinutes, refreshTokenDays, clients } = written;
  return {
    accessTokenMinutes,
    refreshTokenDays,
    ...resolveSignIn(written, context),
    dpop: written.dpop,
    clients: resolveClients(clients),
    machines: resolveMachines(written, context.secrets),
  };
}

/** The part that needs no secret. */
export function resolvePolicy({
  tools,
  resources,
  prompts,
}: FileConfig): Pick<Config, 'tools' | 'resources' | 'prompts'> {
  return { tools: tools?.map(toolRule) ?? null, resources, prompts };
}

function toolRule(rule: NonNullable<FileConfig['tools']>[number], index: number): ToolRuleConfig {
  return {
    match: rule.match,
    server: rule.server ?? null,
    hint: rule.hint ?? null,
    when: rule.when ?? null,
    scope: rule.scope ?? null,
    limit: rule.limit === undefined ? null : toolLimit(rule.limit),
    confirm: rule.confirm ?? null,
    show: rule.show ?? null,
    capture: resolveCapture(rule),
    source: `tools[${index}]`,
  };
}

function redis(written: FileConfig['redis'], secrets: Secrets): Config['redis'] {
  if (written === undefined) return null;
  const { prefix, cluster } = written;
  const url = secrets.get('redis.url') ?? new Secret('');
  const commandTimeoutMs = milliseconds(written.commandTimeout);
  return { url, prefix, cluster, commandTimeoutMs, leases: written.leases ?? null };
}

function limits(written: FileConfig['limits']): LimitsConfig {
  const { loop } = written;
  return {
    client: rateLimits(written.client),
    organization: rateLimits(written.organization),
    address: rateLimit(written.address),
    addressFailures: rateLimit(written.addressFailures),
    concurrent: written.concurrent,
    loop: loop ? { identical: loop.identical, withinMs: milliseconds(loop.within) } : null,
    whenStoreIsDown: written.whenStoreIsDown,
  };
}

function toolLimit(written: string | { each?: string | undefined; total?: string | undefined }): ToolLimit {
  const { each, total = 'none' } = typeof written === 'string' ? { each: written } : written;
  return { each: rateLimits(each ?? 'none'), total: rateLimits(total) };
}

function rateLimits(text: string): RateLimit[] {
  if (text === 'none') return [];
  const parsed = parseRates(text);
  if (!parsed) throw new Error('a rate that was checked cannot be read');
  return parsed;
}

function pins({ changes, lock }: FileConfig['pins'], directory: string): Config['pins'] {
  return {
    changes: changes ?? (lock === undefined ? 'graded' : 'strict'),
    lock: lock === undefined ? null : resolvePath(directory, lock),
  };
}

function rateLimit(text: string): RateLimit {
  const parsed = parseRate(text);
  if (!parsed) throw new Error('a rate that was checked cannot be read');
  return parsed;
}

function milliseconds(text: string): number {
  const parsed = parseDuration(text);
  if (parsed === null) throw new Error('a duration that was checked cannot be read');
  return parsed;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
