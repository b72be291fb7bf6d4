import { z } from 'zod';
import { Secret } from '../base/index.ts';
import type { Finding } from './faults.ts';
import type { FileConfig, PartialFileConfig, SecretReference } from './schema.ts';
import { fileReference, secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import type { UpstreamExchangeConfig } from './server-config.ts';
import { formatPath, type Path } from './source.ts';
import { trustedUrl } from './values.ts';

// A token of the upstream's own provider for each caller: `servers.NAME.upstream.exchange` (RFC 8693).

/** A member of an HTTP upstream. */
export const exchange = z.strictObject({
  issuer: trustedUrl
    .optional()
    .meta({ description: 'Exact; its metadata is read unless tokenEndpoint is given.' }),
  tokenEndpoint: trustedUrl.optional(),
  clientId: z.string().min(1).max(2048),
  clientSecret: secretReference.optional(),
  privateKey: fileReference.optional().meta({ description: 'For private_key_jwt: PEM or JWK.' }),
  subject: z.enum(['assertion', 'caller']).default('assertion').meta({
    description:
      'What is exchanged: an assertion of ours, or the token that the issuer itself gave the caller.',
  }),
  audience: z.string().min(1).max(2048).optional(),
  resource: z.url().max(2048).optional().meta({ description: 'What the token is for (RFC 8707).' }),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/))
    .max(64)
    .default([]),
});

type WrittenExchange = z.output<typeof exchange>;

interface Exchanging {
  readonly name: string;
  readonly path: Path;
  readonly written: WrittenExchange;
  readonly isConnected: boolean;
}

function exchanging(servers: PartialFileConfig['servers']): Exchanging[] {
  return Object.entries(servers ?? {}).flatMap(([name, { upstream }]) =>
    'url' in upstream && upstream.exchange
      ? [
          {
            name,
            path: ['servers', name, 'upstream', 'exchange'],
            written: upstream.exchange,
            isConnected: upstream.connect !== undefined,
          },
        ]
      : [],
  );
}

export function checkExchange({ servers, auth }: PartialFileConfig): Finding[] {
  const issuers = auth?.issuers.map(({ issuer }) => issuer) ?? [];
  return exchanging(servers).flatMap((one) => checkOne(one, issuers));
}

function checkOne({ path, written, isConnected }: Exchanging, issuers: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  const { issuer, tokenEndpoint, clientSecret, privateKey, subject } = written;
  if (issuer === undefined && tokenEndpoint === undefined) {
    findings.push({
      path,
      message: 'does not say where tokens are exchanged',
      hint: 'write issuer: https://…',
    });
  }
  if ((clientSecret === undefined) === (privateKey === undefined)) {
    const hint = 'write clientSecret: { env: NAME } or privateKey: { file: key.pem }';
    findings.push({ path, message: 'needs one way to prove itself', hint });
  }
  if (isConnected) {
    findings.push({
      path,
      message: 'stands beside connect',
      hint: 'keep one: each says whose token is sent',
    });
  }
  if (subject === 'caller' && !(issuer !== undefined && issuers.includes(issuer))) {
    const hint = 'write as issuer the member of auth.issuers that gives the callers their tokens';
    const message = 'would show callers\u2019 tokens to somebody who did not make them';
    findings.push({ path: [...path, 'subject'], message, hint });
  }
  return findings;
}

const keys = ['clientSecret', 'privateKey'] as const;

/** What has to be read. */
export function exchangeReferences(
  servers: PartialFileConfig['servers'],
): { readonly path: Path; readonly reference: SecretReference }[] {
  return exchanging(servers).flatMap(({ path, written }) =>
    keys.flatMap((key) => {
      const reference = written[key];
      return reference ? [{ path: [...path, key], reference }] : [];
    }),
  );
}

export function resolveExchange(
  name: string,
  written: NonNullable<FileConfig['servers']>[string]['upstream'],
  secrets: Secrets,
): UpstreamExchangeConfig | null {
  if (!('url' in written) || written.exchange === undefined) return null;
  const { issuer, tokenEndpoint, clientId, subject, audience, resource, scopes } = written.exchange;
  const read = (key: (typeof keys)[number]) =>
    written.exchange?.[key]
      ? (secrets.get(formatPath(['servers', name, 'upstream', 'exchange', key])) ?? new Secret(''))
      : null;
  return {
    issuer: issuer ?? null,
    tokenEndpoint: tokenEndpoint ?? null,
    clientId,
    clientSecret: read('clientSecret'),
    privateKey: read('privateKey'),
    subject,
    audience: audience ?? null,
    resource: resource ?? null,
    scopes,
  };
}
