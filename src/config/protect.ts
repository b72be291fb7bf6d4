import { ConfigurationError, type ConfigurationFault } from '../base/index.ts';
import { defaultDataDirectory } from './data-directory.ts';
import type { Environment } from './environment.ts';
import { configFrom, type LoadedConfig } from './load.ts';
import { guessServerName } from './server-name.ts';
import { formatPath, type Path, type Place, type Source, valueAt } from './source.ts';

/** What `portcullis protect` was told. Absent: not given on the command line. */
export interface ProtectOptions {
  readonly target: { readonly command: readonly string[] } | { readonly url: string };
  readonly name?: string | undefined;
  readonly host?: string | undefined;
  /** The port to listen on: decided before, because the public URL has it. */
  readonly port: number;
  /** False when the port is the default or the next free one. */
  readonly portGiven: boolean;
  readonly publicUrl?: string | undefined;
  readonly data?: string | undefined;
  /** Names of variables that a child gets. */
  readonly env?: readonly string[] | undefined;
  /** `x-api-key=env:NAME` or `x-api-key=file:/path`, for an upstream that is reached by URL. */
  readonly header?: readonly string[] | undefined;
  readonly isolation?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly trustedProxy?: readonly string[] | undefined;
  readonly allowedOrigin?: readonly string[] | undefined;
  readonly clientLimit?: string | undefined;
  readonly environment: Environment;
  readonly cwd: string;
}

/**
 * The configuration of a `protect` without a file: the same checks, and the same defaults, as those of a file that
 * says what the options say.
 * @throws ConfigurationError with every fault, each naming its option
 */
export function protectConfig(options: ProtectOptions): Promise<LoadedConfig> {
  const name = options.name ?? guessServerName(options.target);
  const faults = [...contradictions(options), ...(options.header ?? []).flatMap(headerFault)];
  if (faults.length > 0) throw new ConfigurationError(faults);
  const raw = asFile(name, options);
  return configFrom(optionSource(raw, optionNames(name, options), options.cwd), options.environment);
}

function asFile(name: string, options: ProtectOptions): object {
  const { target, port, environment } = options;
  const host = options.host ?? '127.0.0.1';
  const scheme = options.tlsCert === undefined ? 'http' : 'https';
  const authority = host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host;
  return {
    publicUrl: options.publicUrl ?? `${scheme}://${authority}:${port}`,
    listen: { host, port },
    ...(options.tlsCert === undefined
      ? {}
      : { tls: { cert: options.tlsCert, key: { file: options.tlsKey ?? '' } } }),
    ...(options.trustedProxy === undefined ? {} : { trustedProxies: options.trustedProxy }),
    data: options.data ?? defaultDataDirectory(name, environment),
    servers: {
      [name]: {
        path: '/mcp',
        upstream:
          'url' in target ? urlUpstream(target.url, options) : commandUpstream(target.command, options),
      },
    },
    ...(options.clientLimit === undefined ? {} : { limits: { client: options.clientLimit } }),
    ...(options.allowedOrigin === undefined ? {} : { http: { allowedOrigins: options.allowedOrigin } }),
  };
}

function commandUpstream(command: readonly string[], { env, isolation }: ProtectOptions): object {
  return {
    command,
    ...(env === undefined ? {} : { env: Object.fromEntries(env.map((name) => [name, { env: name }])) }),
    ...(isolation === undefined ? {} : { isolation }),
  };
}

function urlUpstream(url: string, { header }: ProtectOptions): object {
  if (header === undefined) return { url };
  return { url, headers: Object.fromEntries(header.map(headerReference)) };
}

const headerPattern = /^([^=]+)=(env|file):(.+)$/;

function headerReference(written: string): [string, object] {
  const [, name = '', kind = '', reference = ''] = headerPattern.exec(written) ?? [];
  return [name, { [kind]: reference }];
}

/** What is no reference may be a secret: it is not repeated. */
function headerFault(written: string): ConfigurationFault[] {
  if (headerPattern.test(written)) return [];
  const hint = 'write --header x-api-key=env:NAME or --header x-api-key=file:/path';
  return [{ source: '--header', message: 'must name where the value is kept', hint }];
}

function contradictions(options: ProtectOptions): ConfigurationFault[] {
  const faults: ConfigurationFault[] = [];
  const isUrl = 'url' in options.target;
  const add = (source: string, message: string, hint: string) => faults.push({ source, message, hint });
  if (isUrl && options.env)
    add('--env', 'is for a server that is started by a command', 'use --header for a URL');
  if (isUrl && options.isolation)
    add('--isolation', 'is for a server that is started by a command', 'remove it');
  if (!isUrl && options.header)
    add('--header', 'is for a server that is reached by a URL', 'use --env for a command');
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
    add('--tls-cert', 'and --tls-key go together', 'give both');
  }
  if (options.host !== undefined && !options.publicUrl && /^(?:0\.0\.0\.0|::|\[::\])$/.test(options.host)) {
    add('--host', 'is every address, which no client can type', 'add --public-url https://mcp.example.com');
  }
  return faults;
}

/** Which option says what; null where a default or a guess does. */
function optionNames(name: string, options: ProtectOptions): ReadonlyMap<string, string | null> {
  const given = (value: unknown, option: string) => (value === undefined ? null : option);
  const server = `servers.${name}`;
  return new Map<string, string | null>([
    ['publicUrl', given(options.publicUrl, '--public-url') ?? given(options.host, '--host')],
    ['listen.host', given(options.host, '--host')],
    ['listen.port', options.portGiven ? '--port' : null],
    ['tls.cert', '--tls-cert'],
    ['tls.key', '--tls-key'],
    ['trustedProxies', '--trusted-proxy'],
    ['data', given(options.data, '--data')],
    [server, given(options.name, '--name')],
    [`${server}.path`, null],
    [`${server}.upstream.url`, 'URL'],
    [`${server}.upstream.command`, 'COMMAND'],
    [`${server}.upstream.env`, '--env'],
    [`${server}.upstream.headers`, '--header'],
    [`${server}.upstream.isolation`, '--isolation'],
    ['limits.client', '--client-limit'],
    ['http.allowedOrigins', '--allowed-origin'],
  ]);
}

function optionSource(raw: object, names: ReadonlyMap<string, string | null>, cwd: string): Source {
  const nearest = (path: Path): string | null => {
    for (let length = path.length; length > 0; length--) {
      const name = names.get(formatPath(path.slice(0, length)));
      if (name !== undefined) return name;
    }
    return null;
  };
  const written = (path: Path): Place | null => {
    const name = nearest(path);
    return name !== null && valueAt(raw, path) !== undefined ? { source: name } : null;
  };
  return { raw, directory: cwd, place: (path) => ({ source: nearest(path) ?? 'command line' }), written };
}
