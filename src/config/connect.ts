import { z } from 'zod';
import { Secret } from '../base/index.ts';
import type { Finding } from './faults.ts';
import type { FileConfig, PartialFileConfig, SecretReference } from './schema.ts';
import { secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import type { UpstreamConnectConfig } from './server-config.ts';
import { formatPath, type Path } from './source.ts';
import { trustedUrl, upstreamUrl } from './values.ts';

// People's own credentials at HTTP upstreams: `servers.NAME.upstream.connect` and `auth.vaultKey`.

/** A member of an HTTP upstream. */
export const connect = z.strictObject({
  issuer: trustedUrl
    .optional()
    .meta({ description: 'Exact; its metadata is read unless endpoints are given.' }),
  authorizationEndpoint: trustedUrl.optional(),
  tokenEndpoint: trustedUrl.optional(),
  clientId: z.string().min(1).max(2048),
  clientSecret: secretReference.optional(),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/))
    .max(64)
    .default([]),
  resource: upstreamUrl.optional().meta({ description: 'What the token is for (RFC 8707).' }),
});

/** A member of `auth`. */
export const vaultKey = z.union([
  secretReference,
  z.strictObject({ current: secretReference, previous: z.array(secretReference).max(8).default([]) }),
]);

type WrittenConnect = z.output<typeof connect>;
type WrittenKey = z.output<typeof vaultKey>;
interface Wanted {
  readonly path: Path;
  readonly reference: SecretReference;
}

export function checkConnect({ servers = {}, auth }: PartialFileConfig): Finding[] {
  const connected = Object.entries(servers).flatMap(([name, { upstream }]) =>
    'url' in upstream && upstream.connect
      ? [{ written: upstream.connect, path: ['servers', name, 'upstream', 'connect'] }]
      : [],
  );
  const [first] = connected;
  if (first === undefined) return [];
  const findings = connected.flatMap(({ written, path }) => checkEndpoints(written, path));
  if (auth && auth.vaultKey === undefined) {
    const hint = 'add auth.vaultKey: { env: NAME } with the output of: openssl rand -base64 32';
    findings.push({ path: first.path, message: 'needs a key that encrypts the credentials', hint });
  }
  if (auth && (auth.embedded === false || (auth.embedded === undefined && auth.issuers.length > 0))) {
    const hint = 'write auth.embedded: {}';
    findings.push({ path: first.path, message: 'needs the embedded authorization server', hint });
  }
  // The path of a server of this name would be the page of another.
  if (Object.hasOwn(servers, 'connect')) {
    const hint = 'give it another name';
    findings.push({ path: ['servers', 'connect'], message: 'has the name of the pages of connect', hint });
  }
  return findings;
}

function checkEndpoints(written: WrittenConnect, path: Path): Finding[] {
  const { issuer, authorizationEndpoint, tokenEndpoint } = written;
  const hint = 'write issuer: https://…, or authorizationEndpoint and tokenEndpoint';
  if ((authorizationEndpoint === undefined) !== (tokenEndpoint === undefined)) {
    return [{ path, message: 'has one endpoint without the other', hint }];
  }
  return issuer === undefined && tokenEndpoint === undefined
    ? [{ path, message: 'does not say where people connect', hint }]
    : [];
}

/** What has to be read. */
export function connectReferences(servers: FileConfig['servers'], key: WrittenKey | undefined): Wanted[] {
  const secrets = Object.entries(servers).flatMap(([name, { upstream }]): Wanted[] => {
    const reference = 'url' in upstream ? upstream.connect?.clientSecret : undefined;
    return reference ? [{ path: secretPath(name), reference }] : [];
  });
  return [...secrets, ...keyReferences(key)];
}

const secretPath = (name: string): Path => ['servers', name, 'upstream', 'connect', 'clientSecret'];

function keyReferences(key: WrittenKey | undefined): Wanted[] {
  const path = ['auth', 'vaultKey'];
  if (key === undefined) return [];
  if (!('current' in key)) return [{ path, reference: key }];
  const previous = key.previous.map((reference, index) => ({
    path: [...path, 'previous', index],
    reference,
  }));
  return [{ path: [...path, 'current'], reference: key.current }, ...previous];
}

/** Why a secret is no key of the vault; null when it is one. */
export function vaultKeyFault(text: string): { readonly message: string; readonly hint: string } | null {
  if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return null;
  return { message: 'the key is not 32 bytes in base64', hint: 'make one: openssl rand -base64 32' };
}

export function resolveConnect(
  name: string,
  written: WrittenConnect | undefined,
  secrets: Secrets,
): UpstreamConnectConfig | null {
  if (written === undefined) return null;
  const { authorizationEndpoint: authorization, tokenEndpoint: token } = written;
  return {
    issuer: written.issuer ?? null,
    endpoints: authorization !== undefined && token !== undefined ? { authorization, token } : null,
    clientId: written.clientId,
    clientSecret: written.clientSecret ? (secrets.get(formatPath(secretPath(name))) ?? new Secret('')) : null,
    scopes: written.scopes,
    resource: written.resource ?? null,
  };
}

/** Newest first. */
export function resolveVaultKeys(key: WrittenKey | undefined, secrets: Secrets): Secret[] {
  return keyReferences(key).flatMap(({ path }) => secrets.get(formatPath(path)) ?? []);
}
