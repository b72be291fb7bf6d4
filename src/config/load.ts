import { access, constants } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigurationError } from '../base/index.ts';
import type { Config, PostgresConfig } from './config.ts';
import type { Environment } from './environment.ts';
import { type Explained, explainConfig } from './explain.ts';
import { type Finding, locate } from './faults.ts';
import { describeNotEnforced } from './observe.ts';
import { resolvePostgres } from './postgres.ts';
import { check, isComplete, readSource } from './read.ts';
import { resolveConfig, resolvePolicy, tlsFiles } from './resolve.ts';
import type { PartialFileConfig } from './schema.ts';
import { fetchSecrets } from './secrets.ts';
import type { Source } from './source.ts';

export interface LoadOptions {
  /** As the operator named it; messages repeat it. */
  readonly file: string;
  readonly environment: Environment;
  /** Directory that `file` starts from. */
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly explain: readonly Explained[];
}

/** The variables of this process. The only place that reads them; everything else is handed what it needs. */
export function readEnvironment(): Environment {
  return process.env;
}

/**
 * Reads, checks and resolves a configuration file.
 * @throws ConfigurationError with every fault of the file, in its order
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  return configFrom(await readSource(options.file, options.cwd), options.environment);
}

export interface InspectedConfig {
  readonly explain: readonly Explained[];
  /** Absolute. */
  readonly data: string;
  readonly servers: readonly string[];
  /** Sentences about what is not in force: observed controls, static keys. */
  readonly notEnforced: readonly string[];
  /** What policy is made of. */
  readonly policy: Pick<Config, 'tools' | 'resources' | 'prompts'>;
}

/**
 * Reads a file without fetching its secrets: on a machine that does not have them.
 * @throws ConfigurationError as `loadConfig` does, but for what secrets and certificates would add
 */
export async function inspectConfig({
  file,
  cwd,
}: Omit<LoadOptions, 'environment'>): Promise<InspectedConfig> {
  const source = await readSource(file, cwd);
  const checked = check(source);
  if (!isComplete(checked)) throw asError(checked.findings, source);
  return {
    explain: explainConfig(checked.sections, source),
    data: resolve(source.directory, checked.sections.data),
    servers: Object.keys(checked.sections.servers),
    policy: resolvePolicy(checked.sections),
    notEnforced: describeNotEnforced(checked.sections),
  };
}

/** Where a gateway keeps what commands read, and the one secret that they need for it. */
export interface AuditPlace {
  /** Absolute. */
  readonly data: string;
  readonly postgres: PostgresConfig | null;
  /** `audit.keep`, as written. */
  readonly keep: string | null;
}

/**
 * Reads a file and fetches the secret of `postgres:` alone.
 * @throws ConfigurationError as `loadConfig` does
 */
export async function auditPlace({ file, cwd, environment }: LoadOptions): Promise<AuditPlace> {
  const source = await readSource(file, cwd);
  const { directory } = source;
  const checked = check(source);
  if (!isComplete(checked)) throw asError(checked.findings, source);
  const { postgres, data, audit } = checked.sections;
  const fetched = await fetchSecrets({ postgres }, { environment, directory }, () => true);
  if (fetched.findings.length > 0) throw asError(fetched.findings, source);
  return {
    data: resolve(directory, data),
    postgres: resolvePostgres(postgres, fetched.secrets),
    keep: audit.keep ?? null,
  };
}

/** The way from any source to a configuration. */
export async function configFrom(source: Source, environment: Environment): Promise<LoadedConfig> {
  const checked = check(source);
  const { directory } = source;
  const unreadable = await findUnreadable(checked.sections, directory);
  const mayRunCommands = () => checked.findings.length === 0 && unreadable.length === 0;
  const fetched = await fetchSecrets(checked.sections, { environment, directory }, mayRunCommands);
  const findings = [...checked.findings, ...unreadable, ...fetched.findings];
  if (findings.length > 0 || !isComplete(checked)) throw asError(findings, source);
  return {
    config: resolveConfig(checked.sections, { directory, secrets: fetched.secrets }),
    explain: explainConfig(checked.sections, source),
  };
}

async function findUnreadable({ tls }: PartialFileConfig, directory: string): Promise<Finding[]> {
  if (!tls) return [];
  const { certFile, keyFile, clientCaFile } = tlsFiles(tls, directory);
  const one = async (path: string[], file: string): Promise<Finding[]> =>
    access(file, constants.R_OK).then(
      () => [],
      () => [
        { path, message: `${file} cannot be read`, hint: 'put a PEM file there that this user may read' },
      ],
    );
  const authority = ['tls', 'clientCertificates', 'ca'];
  return [
    ...(await one(['tls', 'cert'], certFile)),
    ...(await one(['tls', 'key'], keyFile)),
    ...(clientCaFile === null ? [] : await one(authority, clientCaFile)),
  ];
}

/** All faults in one list, in the order of the file. */
function asError(findings: readonly Finding[], source: Source): ConfigurationError {
  const faults = findings.map((finding) => locate(source, finding));
  faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return new ConfigurationError(faults);
}
