import { isIP } from 'node:net';
import { resolve as resolvePath } from 'node:path';
import { z } from 'zod';
import { Secret } from '../base/index.ts';
import type { EmbeddedAuthConfig, IdentityProviderConfig } from './auth-config.ts';
import type { Finding } from './faults.ts';
import type { FileConfig } from './schema.ts';
import { secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import { trustedUrl } from './values.ts';

// How people sign in at the embedded authorization server: `auth.embedded.signIn`, `.passwords`, `.oidc`.

const nonEmpty = z.string().min(1).max(4096);
const claimName = z.string().min(1).max(256);
const groupList = z.array(z.string().min(1).max(256)).min(1).max(1024);

/** What we send ourselves; an operator's value would undo a control. */
const reservedParameters = [
  ...['client_id', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'nonce'],
  ...['code_challenge', 'code_challenge_method', 'request', 'request_uri', 'client_secret', 'id_token_hint'],
];

const identityProvider = z.strictObject({
  issuer: trustedUrl.meta({ description: 'Exact, as in the `iss` of its ID tokens.' }),
  name: z.string().min(1).max(64).optional().meta({ description: 'On the button; the host of the issuer.' }),
  clientId: nonEmpty.max(512),
  clientSecret: secretReference,
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/))
    .min(1)
    .max(32)
    .refine((scopes) => scopes.includes('openid'), { message: 'must have openid' })
    .optional()
    .meta({ description: 'openid profile, and offline_access where the provider offers it.' }),
  authorizationParameters: z
    .record(z.string().regex(/^[a-z0-9_.-]{1,64}$/i), z.string().max(512))
    .refine((given) => !Object.keys(given).some((name) => reservedParameters.includes(name)), {
      message: 'sets a parameter that Portcullis sets itself',
    })
    .default({}),
  claims: z
    .strictObject({
      name: claimName.default('preferred_username'),
      groups: claimName.default('groups'),
      organization: claimName.optional(),
    })
    .prefault({}),
  roles: z.strictObject({ admin: groupList.optional() }).prefault({}),
  allow: z
    .strictObject({
      domains: z
        .array(z.string().regex(/^[a-z0-9.-]{1,253}$/))
        .min(1)
        .max(256)
        .optional(),
      groups: groupList.optional(),
    })
    .prefault({}),
  recheckMinutes: z.int().min(1).max(1440).default(60),
});

/** Members of `auth.embedded`. */
export const signInShape = {
  signIn: z
    .array(z.enum(['password', 'passkey', 'oidc']))
    .min(1)
    .max(3)
    .default(['password']),
  passwords: z.strictObject({ denyList: nonEmpty.optional() }).prefault({}),
  oidc: identityProvider.optional(),
} as const;

type WrittenEmbedded = Exclude<NonNullable<FileConfig['auth']['embedded']>, false>;

/** Faults between the ways to sign in and the rest. */
export function checkSignIn(embedded: WrittenEmbedded, publicUrl: string | undefined): Finding[] {
  const path = ['auth', 'embedded'];
  const has = (method: string) => (embedded.signIn as readonly string[]).includes(method);
  const findings: Finding[] = [];
  if (has('oidc') && embedded.oidc === undefined) {
    const hint = 'add auth.embedded.oidc with issuer, clientId and clientSecret';
    findings.push({ path: [...path, 'signIn'], message: 'has oidc, and no provider is described', hint });
  }
  if (embedded.oidc !== undefined && !has('oidc')) {
    const hint = 'write signIn: [oidc]';
    findings.push({ path: [...path, 'oidc'], message: 'is not used: signIn has no oidc', hint });
  }
  if (has('passkey') && !has('password')) {
    const hint = 'write signIn: [password, passkey]';
    const message = 'has passkey without password: nobody could enrol one';
    findings.push({ path: [...path, 'signIn'], message, hint });
  }
  const host = URL.parse(publicUrl ?? '')?.hostname ?? 'localhost';
  if (has('passkey') && isIP(host.replace(/^\[|\]$/g, '')) !== 0) {
    const hint = 'use a host name in publicUrl; on this machine: http://localhost:4180';
    findings.push({ path: [...path, 'signIn'], message: 'has passkey, which no IP address can use', hint });
  }
  return embedded.oidc === undefined ? findings : [...findings, ...checkProvider(embedded.oidc)];
}

/** Issuers that sign in anybody: who is meant must be said. */
function checkProvider({ issuer, allow }: NonNullable<WrittenEmbedded['oidc']>): Finding[] {
  const path = ['auth', 'embedded', 'oidc'];
  const url = URL.parse(issuer);
  const shared = /^\/(common|organizations|consumers)(\/|$)/.test(url?.pathname ?? '');
  if (url?.hostname === 'login.microsoftonline.com' && shared) {
    const hint = 'write https://login.microsoftonline.com/YOUR-TENANT-ID/v2.0';
    return [{ path: [...path, 'issuer'], message: 'is not one tenant, but all of them', hint }];
  }
  if (url?.hostname === 'accounts.google.com' && !allow.domains) {
    const hint = 'write allow: { domains: [example.com] }';
    return [{ path: [...path, 'issuer'], message: 'signs in everybody with a Google account', hint }];
  }
  return [];
}

export function resolveSignIn(
  embedded: WrittenEmbedded,
  { directory, secrets }: { readonly directory: string; readonly secrets: Secrets },
): Pick<EmbeddedAuthConfig, 'signIn' | 'passwords' | 'oidc'> {
  const { denyList } = embedded.passwords;
  return {
    signIn: embedded.signIn,
    passwords: { denyList: denyList === undefined ? null : resolvePath(directory, denyList) },
    oidc: embedded.oidc === undefined ? null : resolveProvider(embedded.oidc, secrets),
  };
}

function resolveProvider(
  written: NonNullable<WrittenEmbedded['oidc']>,
  secrets: Secrets,
): IdentityProviderConfig {
  return {
    issuer: written.issuer,
    name: written.name ?? new URL(written.issuer).host,
    clientId: written.clientId,
    clientSecret: secrets.get('auth.embedded.oidc.clientSecret') ?? new Secret(''),
    scopes: written.scopes ?? null,
    authorizationParameters: written.authorizationParameters,
    claims: { ...written.claims, organization: written.claims.organization ?? null },
    adminGroups: written.roles.admin ?? [],
    allow: { domains: written.allow.domains ?? null, groups: written.allow.groups ?? null },
    recheckMinutes: written.recheckMinutes,
  };
}
