import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { readJson, Secret } from '../base/index.ts';
import type { IssuerConfig } from './auth-config.ts';
import type { Finding } from './faults.ts';
import type { FileConfig, SecretReference } from './schema.ts';
import { fileReference, secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import { formatPath, type Path } from './source.ts';
import { algorithm, trustedUrl } from './values.ts';

// Tokens of others: `auth.issuers`.

const nonEmpty = z.string().min(1).max(4096);
const claimName = z.string().min(1).max(256);

const introspection = z
  .strictObject({
    endpoint: trustedUrl.optional().meta({
      description: 'Where tokens are asked about; read from the metadata of the issuer unless given.',
    }),
    clientId: nonEmpty.max(512),
    clientSecret: secretReference.optional(),
    privateKey: fileReference.optional().meta({ description: 'For private_key_jwt: PEM or JWK.' }),
    opaqueTokens: z
      .boolean()
      .optional()
      .meta({ description: 'Tokens that are no JWT are of this issuer. True where it alone introspects.' }),
  })
  .meta({ description: 'RFC 7662.' });

/** A member of `auth.issuers`. */
export const issuer = z.strictObject({
  issuer: trustedUrl,
  audience: z.union([nonEmpty, z.array(nonEmpty).min(1).max(64)]).optional(),
  audienceClaim: claimName.default('aud'),
  exclusiveAudience: z
    .boolean()
    .default(false)
    .meta({ description: 'Refuse tokens that are for others, too.' }),
  clientIds: z
    .array(nonEmpty.max(512))
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Clients whose tokens are accepted. Beside `audience`, or weaker: instead of it.' }),
  jwksUri: trustedUrl.optional(),
  algorithms: z.array(algorithm).min(1).max(16).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
  typ: z
    .array(z.enum(['at+jwt', 'jwt']))
    .min(1)
    .max(2)
    .default(['at+jwt', 'jwt']),
  verify: z.enum(['jwt', 'introspection', 'both']).default('jwt'),
  introspection: introspection.optional(),
  claims: z
    .strictObject({
      scopes: z.union([claimName, z.array(claimName).min(1).max(8)]).default('scope'),
      subject: claimName.default('sub'),
      client: claimName.optional(),
      organization: claimName.optional(),
    })
    .prefault({}),
  required: z
    .record(claimName, nonEmpty.max(512))
    .default({})
    .meta({ description: 'Claims that must hold a value, such as tid.' }),
});

type WrittenIssuer = z.output<typeof issuer>;

/** Faults within each issuer, and between them. */
export function checkIssuers(issuers: readonly WrittenIssuer[]): Finding[] {
  const opaque = issuers.filter((one) => one.introspection?.opaqueTokens === true);
  return issuers.flatMap((one, index): Finding[] => {
    const path = ['auth', 'issuers', index];
    const again = opaque.length > 1 && opaque.indexOf(one) > 0;
    return [
      ...checkBinding(one, path),
      ...checkIntrospection(one, path),
      ...(again
        ? [
            {
              path: [...path, 'introspection', 'opaqueTokens'],
              message: 'is true for another issuer, too',
              hint: 'one issuer can be asked about tokens that say nothing of theirs',
            },
          ]
        : []),
    ];
  });
}

function checkBinding(
  { issuer: name, audience, clientIds, exclusiveAudience }: WrittenIssuer,
  path: Path,
): Finding[] {
  const findings: Finding[] = [];
  if (audience === undefined && clientIds === undefined) {
    const hint =
      'write what the issuer puts into its tokens for this server; only where it puts nothing, clientIds';
    findings.push({ path: [...path, 'audience'], message: 'is missing', hint });
  }
  if (audience === undefined && clientIds !== undefined && exclusiveAudience) {
    const hint = 'add audience, or remove it';
    findings.push({ path: [...path, 'exclusiveAudience'], message: 'needs an audience', hint });
  }
  if (/^https:\/\/login\.microsoftonline\.com\/(common|organizations|consumers)(\/|$)/.test(name)) {
    const hint = 'write https://login.microsoftonline.com/YOUR-TENANT-ID/v2.0';
    findings.push({ path: [...path, 'issuer'], message: 'is not one tenant, but all of them', hint });
  }
  return findings;
}

function checkIntrospection({ verify, introspection: asked }: WrittenIssuer, path: Path): Finding[] {
  if (verify !== 'jwt' && asked === undefined) {
    const hint = 'add introspection: { clientId: …, clientSecret: { env: NAME } }';
    return [{ path: [...path, 'introspection'], message: 'is missing', hint }];
  }
  if (asked === undefined) return [];
  const at = [...path, 'introspection'];
  if (verify === 'jwt') {
    return [{ path: at, message: 'is not used', hint: 'write verify: introspection, or verify: both' }];
  }
  const findings: Finding[] = [];
  if ((asked.clientSecret === undefined) === (asked.privateKey === undefined)) {
    const hint = 'write clientSecret: { env: NAME } or privateKey: { file: key.pem }';
    findings.push({ path: at, message: 'needs one way to prove itself', hint });
  }
  if (verify === 'both' && asked.opaqueTokens) {
    const hint = 'remove it, or write verify: introspection';
    findings.push({ path: [...at, 'opaqueTokens'], message: 'is for tokens without a signature', hint });
  }
  return findings;
}

/** What has to be read for the issuers. */
export function issuerReferences(
  issuers: readonly WrittenIssuer[],
): { readonly path: Path; readonly reference: SecretReference }[] {
  return issuers.flatMap(({ introspection: asked }, index) =>
    (['clientSecret', 'privateKey'] as const).flatMap((key) => {
      const reference = asked?.[key];
      return reference ? [{ path: ['auth', 'issuers', index, 'introspection', key], reference }] : [];
    }),
  );
}

/** Why a file is no private key that we can sign with; null when it is one. */
export function privateKeyFault(text: string): { readonly message: string; readonly hint: string } | null {
  try {
    const isJwk = text.trimStart().startsWith('{');
    const key = isJwk
      ? createPrivateKey({ key: readJson(text) as Record<string, unknown>, format: 'jwk' })
      : createPrivateKey(text);
    const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? '';
    if (['rsa', 'prime256v1', 'secp384r1', 'ed25519'].includes(kind)) return null;
  } catch {
    // Said below: what the parser says could hold a part of the key.
  }
  const hint = 'write an RSA, P-256, P-384 or Ed25519 key as PEM (PKCS #8) or JWK, without a passphrase';
  return { message: 'the file holds no private key that can be used', hint };
}

export function resolveIssuers(auth: FileConfig['auth'], secrets: Secrets): IssuerConfig[] {
  const alone = auth.issuers.filter(({ verify }) => verify === 'introspection').length === 1;
  return auth.issuers.map((written, index) => ({
    issuer: written.issuer,
    jwksUri: written.jwksUri ?? null,
    audience: written.audience === undefined ? null : [written.audience].flat(),
    audienceClaim: written.audienceClaim,
    exclusiveAudience: written.exclusiveAudience,
    clientIds: written.clientIds ?? null,
    algorithms: written.algorithms,
    typ: written.typ,
    verify: written.verify,
    introspection: resolveIntrospection(written, { index, secrets, alone }),
    claims: {
      scopes: [written.claims.scopes].flat(),
      subject: written.claims.subject,
      client: written.claims.client ?? null,
      organization: written.claims.organization ?? null,
    },
    required: written.required,
  }));
}

function resolveIntrospection(
  { introspection: asked, verify }: WrittenIssuer,
  { index, secrets, alone }: { index: number; secrets: Secrets; alone: boolean },
): IssuerConfig['introspection'] {
  if (asked === undefined || verify === 'jwt') return null;
  const read = (key: 'clientSecret' | 'privateKey') =>
    asked[key]
      ? (secrets.get(formatPath(['auth', 'issuers', index, 'introspection', key])) ?? new Secret(''))
      : null;
  return {
    endpoint: asked.endpoint ?? null,
    clientId: asked.clientId,
    clientSecret: read('clientSecret'),
    privateKey: read('privateKey'),
    takesOpaque: verify === 'introspection' && (asked.opaqueTokens ?? alone),
  };
}
