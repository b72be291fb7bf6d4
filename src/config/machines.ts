import { z } from 'zod';
import { readJson, Secret } from '../base/index.ts';
import type { EnterpriseIssuerConfig, MachinesConfig, RegisteredClientConfig } from './auth-config.ts';
import type { Finding } from './faults.ts';
import type { FileConfig, SecretReference } from './schema.ts';
import { fileReference, secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import { formatPath, type Path } from './source.ts';
import { algorithm, scope, serverName, trustedUrl } from './values.ts';

// Clients that the operator registers, and what they may do without a person in front of them:
// `auth.embedded.clients.registered` and `auth.embedded.enterprise`.

const clientsPath = ['auth', 'embedded', 'clients', 'registered'] as const;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A machine's `sub` is its client id, an account's is a UUID: the two must not be mistaken (RFC 9068 section 5). */
const clientId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, { message: 'must be of letters, digits and . _ -' })
  .refine((id) => !uuid.test(id), { message: 'must be no UUID: accounts have those' });

const registeredClient = z.strictObject({
  id: clientId,
  name: z.string().min(1).max(200).optional(),
  secret: secretReference.optional(),
  jwks: fileReference.optional().meta({ description: 'A JWK Set with the public keys of the client.' }),
  jwksUri: trustedUrl.optional(),
  grants: z
    .array(z.enum(['authorization_code', 'client_credentials', 'jwt_bearer', 'token_exchange']))
    .min(1)
    .max(4),
  redirectUris: z.array(z.string().min(1).max(2048)).max(20).default([]),
  scopes: z.array(scope).min(1).max(200).meta({ description: 'The most that its tokens may hold.' }),
  servers: z
    .array(serverName)
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Servers that it gets tokens for; all unless given.' }),
  organization: z.string().min(1).max(200).default('default'),
});

/** A member of `auth.embedded.clients`. */
export const registeredClients = z.array(registeredClient).max(1024).default([]);

const enterpriseIssuer = z.strictObject({
  issuer: trustedUrl,
  jwksUri: trustedUrl.optional(),
  audience: z
    .string()
    .min(1)
    .max(2048)
    .optional()
    .meta({ description: 'What its assertions must name in `aud`; our issuer unless given.' }),
  clientIds: z
    .array(clientId)
    .min(1)
    .max(256)
    .meta({ description: 'Registered clients that may present its assertions.' }),
  algorithms: z.array(algorithm).min(1).max(16).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
  claims: z
    .strictObject({ organization: z.string().min(1).max(256).optional() })
    .prefault({})
    .meta({ description: 'Claims of its assertions that are believed.' }),
});

/** A member of `auth.embedded`. */
export const machinesShape = {
  enterprise: z
    .array(enterpriseIssuer)
    .max(64)
    .default([])
    .meta({ description: 'Identity providers whose assertion grants (ID-JAG) are accepted.' }),
} as const;

type WrittenEmbedded = Exclude<NonNullable<FileConfig['auth']['embedded']>, false>;
type WrittenClient = z.output<typeof registeredClient>;

/** Faults between the registered clients, the issuers and the rest. */
export function checkMachines(
  { clients, enterprise }: WrittenEmbedded,
  servers: FileConfig['servers'] | undefined,
): Finding[] {
  const known = new Map(clients.registered.map((client) => [client.id, client]));
  const twice = (ids: readonly string[], index: number) => ids.indexOf(ids[index] ?? '') < index;
  const ids = clients.registered.map(({ id }) => id);
  const issuers = enterprise.map(({ issuer }) => issuer);
  return [
    ...clients.registered.flatMap((client, index) =>
      twice(ids, index)
        ? [{ path: [...clientsPath, index, 'id'], message: 'is listed twice', hint: 'give each its own' }]
        : checkClient(client, { path: [...clientsPath, index], servers }),
    ),
    ...enterprise.flatMap(({ clientIds }, index): Finding[] => {
      const path = ['auth', 'embedded', 'enterprise', index];
      if (twice(issuers, index)) return [{ path: [...path, 'issuer'], message: 'is listed twice' }];
      return clientIds.flatMap((id, at) =>
        known.get(id)?.grants.includes('jwt_bearer')
          ? []
          : [
              {
                path: [...path, 'clientIds', at],
                message: 'names no registered client with the grant jwt_bearer',
                hint: 'add it to auth.embedded.clients.registered',
              },
            ],
      );
    }),
  ];
}

function checkClient(
  client: WrittenClient,
  { path, servers }: { path: Path; servers: FileConfig['servers'] | undefined },
): Finding[] {
  const findings: Finding[] = [];
  const credentials = [client.secret, client.jwks, client.jwksUri].filter((given) => given !== undefined);
  if (credentials.length > 1) {
    findings.push({ path, message: 'has several ways to prove itself', hint: 'keep jwks or jwksUri' });
  }
  const machine = client.grants.filter((grant) => grant !== 'authorization_code');
  if (machine.length > 0 && credentials.length === 0) {
    const hint = 'add jwks: { file: keys.json }, or a secret: { env: NAME }';
    findings.push({ path, message: `has nothing to prove itself with, and ${machine[0]} needs it`, hint });
  }
  const withCode = client.grants.includes('authorization_code');
  if (withCode !== client.redirectUris.length > 0) {
    const message = withCode ? 'is missing: authorization_code needs it' : 'is for authorization_code alone';
    findings.push({ path: [...path, 'redirectUris'], message, hint: withCode ? 'list them' : 'remove it' });
  }
  (client.servers ?? []).forEach((name, index) => {
    if (servers && !Object.hasOwn(servers, name)) {
      const hint = `write one of ${Object.keys(servers).join(', ')}`;
      findings.push({ path: [...path, 'servers', index], message: 'names no server of this file', hint });
    }
  });
  return findings;
}

/** What has to be read for the registered clients: secrets, and files of public keys. */
export function clientReferences(
  embedded: WrittenEmbedded,
): { readonly path: Path; readonly reference: SecretReference }[] {
  return embedded.clients.registered.flatMap(({ secret, jwks }, index) => [
    ...(secret ? [{ path: [...clientsPath, index, 'secret'], reference: secret }] : []),
    ...(jwks ? [{ path: [...clientsPath, index, 'jwks'], reference: jwks }] : []),
  ]);
}

/** Why a file is no JWK Set of public signature keys; null when it is one. */
export function jwksFault(text: string): { readonly message: string; readonly hint: string } | null {
  const hint = 'write { "keys": [ … ] } with public keys, such as jose exportJWK gives';
  const keys = readKeys(text);
  if (keys === null || keys.length === 0) return { message: 'the file is no JWK Set', hint };
  const isPublic = (key: Record<string, unknown>) =>
    ['EC', 'OKP', 'RSA'].includes(String(key['kty'])) && key['d'] === undefined && key['k'] === undefined;
  return keys.every(isPublic)
    ? null
    : {
        message: 'the file holds a key that is not a public one',
        hint: 'keep the private key at the client',
      };
}

function readKeys(text: string): Record<string, unknown>[] | null {
  try {
    const { keys } = readJson(text) as { keys?: unknown };
    if (!Array.isArray(keys)) return null;
    return keys.every((key) => typeof key === 'object' && key !== null) ? keys : null;
  } catch {
    return null;
  }
}

export function resolveMachines(embedded: WrittenEmbedded, secrets: Secrets): MachinesConfig {
  return {
    clients: embedded.clients.registered.map((client, index) => resolveClient(client, index, secrets)),
    enterprise: embedded.enterprise.map(
      (issuer): EnterpriseIssuerConfig => ({
        issuer: issuer.issuer,
        jwksUri: issuer.jwksUri ?? null,
        audience: issuer.audience ?? null,
        clientIds: issuer.clientIds,
        algorithms: issuer.algorithms,
        claims: { organization: issuer.claims.organization ?? null },
      }),
    ),
  };
}

function resolveClient(client: WrittenClient, index: number, secrets: Secrets): RegisteredClientConfig {
  const read = (key: 'secret' | 'jwks') =>
    secrets.get(formatPath([...clientsPath, index, key])) ?? new Secret('');
  return {
    id: client.id,
    name: client.name ?? client.id,
    secret: client.secret ? read('secret') : null,
    jwks: client.jwks ? (readKeys(read('jwks').reveal()) ?? []) : null,
    jwksUri: client.jwksUri ?? null,
    grants: client.grants,
    redirectUris: client.redirectUris,
    scopes: client.scopes,
    servers: client.servers ?? null,
    organization: client.organization,
  };
}
