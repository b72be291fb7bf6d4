import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Secret } from '../base/index.ts';
import { alertSecretFault, alertSecretPath } from './alerts.ts';
import { copyReferences } from './audit-also.ts';
import { auditorKeyFault, auditorKeyPath } from './auditor-key.ts';
import { connectReferences, vaultKeyFault } from './connect.ts';
import type { Environment } from './environment.ts';
import { exchangeReferences } from './exchange.ts';
import type { Finding } from './faults.ts';
import { issuerReferences, privateKeyFault } from './issuers.ts';
import { clientReferences, jwksFault } from './machines.ts';
import { postgresReferences, postgresUrlFault } from './postgres.ts';
import { redisUrlFault } from './redis-url.ts';
import type { PartialFileConfig, SecretReference } from './schema.ts';
import { maxSecretBytes, runSecretCommand } from './secret-command.ts';
import { formatPath, type Path } from './source.ts';
import { staticKeyFault, staticKeyReferences } from './static-keys.ts';
import { scrapeTokenFault, telemetryReferences } from './telemetry.ts';

export interface SecretContext {
  readonly environment: Environment;
  /** Directory that relative paths start from. */
  readonly directory: string;
}

/** Values by the formatted path of their reference. */
export type Secrets = ReadonlyMap<string, Secret>;

interface Wanted {
  readonly path: Path;
  readonly reference: SecretReference;
}

/**
 * Fetches every secret that the configuration refers to. Programs are run only when `mayRunCommands`: never for a
 * configuration that is refused anyway.
 */
export async function fetchSecrets(
  sections: PartialFileConfig,
  context: SecretContext,
  mayRunCommands: () => boolean,
): Promise<{ secrets: Secrets; findings: Finding[] }> {
  const secrets = new Map<string, Secret>();
  const findings: Finding[] = [];
  const readAll = async (all: readonly Wanted[]) => {
    for (const one of all) {
      const value = await fetchOne(one.reference, context);
      const problem = typeof value === 'string' ? unusable(value, one) : value;
      if (problem) findings.push({ path: one.path, ...problem });
      else secrets.set(formatPath(one.path), new Secret(value as string));
    }
  };
  const wanted = wantedSecrets(sections);
  await readAll(wanted.filter(({ reference }) => !('command' in reference)));
  if (findings.length === 0 && mayRunCommands()) {
    await readAll(wanted.filter(({ reference }) => 'command' in reference));
  }
  return { secrets, findings };
}

function wantedSecrets(sections: PartialFileConfig): Wanted[] {
  const { servers, auth, redis, alerts, audit, postgres, telemetry } = sections;
  const provider = auth?.embedded ? auth.embedded.oidc : undefined;
  return [
    ...(provider
      ? [{ path: ['auth', 'embedded', 'oidc', 'clientSecret'], reference: provider.clientSecret }]
      : []),
    ...(auth?.embedded ? clientReferences(auth.embedded) : []),
    ...issuerReferences(auth?.issuers ?? []),
    ...upstreamSecrets(servers ?? {}),
    ...staticKeyReferences(servers ?? {}),
    ...connectReferences(servers ?? {}, auth?.vaultKey),
    ...exchangeReferences(servers),
    ...(redis ? [{ path: ['redis', 'url'], reference: redis.url }] : []),
    ...(alerts?.webhook ? [{ path: [...alertSecretPath], reference: alerts.webhook.secret }] : []),
    ...(audit?.auditorKey ? [{ path: [...auditorKeyPath], reference: audit.auditorKey }] : []),
    ...copyReferences(audit?.also ?? []),
    ...postgresReferences(postgres),
    ...telemetryReferences(telemetry ?? {}),
  ];
}

function upstreamSecrets(servers: NonNullable<PartialFileConfig['servers']>): Wanted[] {
  return Object.entries(servers).flatMap(([name, { upstream }]) => {
    const [key, references] = 'command' in upstream ? ['env', upstream.env] : ['headers', upstream.headers];
    return Object.entries(references).map(([inner, reference]) => ({
      path: ['servers', name, 'upstream', key, inner],
      reference,
    }));
  });
}

type Problem = Omit<Finding, 'path'>;

async function fetchOne(reference: SecretReference, context: SecretContext): Promise<string | Problem> {
  if ('env' in reference) return fromEnvironment(reference.env, context.environment);
  if ('file' in reference) return fromFile(reference.file, context.directory);
  const answer = await runSecretCommand(reference.command, {
    environment: context.environment,
    cwd: context.directory,
  });
  const program = reference.command[0] ?? '';
  if (!answer.ok)
    return { message: `the command ${program} ${answer.reason}`, hint: 'run it by hand to see why' };
  const value = withoutNewline(answer.output);
  return value === ''
    ? { message: `the command ${program} wrote nothing`, hint: 'run it by hand to see why' }
    : value;
}

function fromEnvironment(name: string, environment: Environment): string | Problem {
  const value = environment[name];
  if (value) return value;
  const state = value === undefined ? 'is not set' : 'is empty';
  return { message: `the environment variable ${name} ${state}`, hint: `set it: ${name}=... portcullis ...` };
}

async function fromFile(name: string, directory: string): Promise<string | Problem> {
  const file = resolve(directory, name);
  try {
    const handle = await open(file, 'r');
    try {
      const info = await handle.stat();
      if (!info.isFile()) return { message: `${file} is no regular file` };
      if (info.size > maxSecretBytes) return { message: `${file} is larger than ${maxSecretBytes} bytes` };
      const value = withoutNewline(await handle.readFile('utf8'));
      return value === '' ? { message: `the secret file ${file} is empty` } : value;
    } finally {
      await handle.close();
    }
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const state = missing ? 'does not exist' : 'cannot be read';
    return {
      message: `the secret file ${file} ${state}`,
      hint: missing ? 'create it' : 'let the user that runs portcullis read it',
    };
  }
}

/** Editors end a file with a newline that is no part of the secret. */
function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** A value that would break out of its header or its variable. */
function unusable(value: string, { path }: Wanted): Problem | null {
  if (path[0] === 'auth' && path[1] === 'vaultKey') return vaultKeyFault(value);
  if (path[0] === 'audit' && path[1] === 'auditorKey') return auditorKeyFault(value);
  if (path[0] === 'redis') return redisUrlFault(value);
  if (path[2] === 'staticKeys') return staticKeyFault(value);
  if (path[0] === 'telemetry' && path[1] === 'prometheus') return scrapeTokenFault(value);
  if (path[0] === 'alerts') return alertSecretFault(value);
  if (path.at(-1) === 'jwks') return jwksFault(value);
  if (path.at(-1) === 'privateKey') return privateKeyFault(value);
  if (path[0] === 'postgres') return postgresUrlFault(value);
  if (path.at(-2) === 'headers' && !/^[\t\x20-\x7e\x80-\xff]+$/.test(value)) {
    return {
      message: 'the secret has characters that no header can carry',
      hint: 'store it as one line of plain text',
    };
  }
  return value.includes('\0') ? { message: 'the secret has a NUL character' } : null;
}
