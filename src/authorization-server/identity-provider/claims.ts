import type { IdentityProviderConfig } from '../../config/index.ts';
import { defaultOrganization, type Role } from '../accounts/index.ts';

/** Who a provider says that somebody is, as far as it concerns us. */
export interface ExternalIdentity {
  readonly subject: string;
  /** For people to read: never identifies anybody. */
  readonly name: string;
  readonly role: Role;
  readonly organization: string;
}

export type IdentityRefusal = 'subject_unusable' | 'not_allowed' | 'organization_missing';

export type IdentityResult =
  | { readonly ok: true; readonly identity: ExternalIdentity }
  | { readonly ok: false; readonly reason: IdentityRefusal };

export type Claims = Readonly<Record<string, unknown>>;

/**
 * What verified claims make of somebody here. Pure. The values were chosen by the provider, and some of them by the person
 * (name, unverified e-mail).
 */
export function identityOf(claims: Claims, config: IdentityProviderConfig): IdentityResult {
  const subject = claims['sub'];
  if (typeof subject !== 'string' || subject === '' || subject.length > 255) {
    return { ok: false, reason: 'subject_unusable' };
  }
  if (!isAllowed(claims, config)) return { ok: false, reason: 'not_allowed' };
  const organization = organizationOf(claims, config.claims.organization);
  if (organization === null) return { ok: false, reason: 'organization_missing' };
  const groups = groupsOf(claims, config);
  const role = config.adminGroups.some((group) => groups.has(group)) ? 'admin' : 'user';
  return { ok: true, identity: { subject, name: nameOf(claims, config) ?? subject, role, organization } };
}

function isAllowed(claims: Claims, config: IdentityProviderConfig): boolean {
  const { domains, groups } = config.allow;
  const held = groupsOf(claims, config);
  if (groups !== null && !groups.some((group) => held.has(group))) return false;
  return domains === null || domains.includes(domainOf(claims, config) ?? '');
}

/**
 * The organization that runs the account. Google says so in `hd`: the domain of its addresses proves nothing, because
 * anybody can make a Google account with an address of their own. Elsewhere it is the domain of an address that the
 * provider says it has verified.
 */
function domainOf(claims: Claims, { issuer }: IdentityProviderConfig): string | null {
  if (issuer === 'https://accounts.google.com') return lowerCase(claims['hd']);
  const { email, email_verified: verified } = claims;
  if (verified !== true || typeof email !== 'string') return null;
  const parts = email.split('@');
  return parts.length === 2 ? lowerCase(parts[1]) : null;
}

function lowerCase(value: unknown): string | null {
  return typeof value === 'string' ? value.toLowerCase() : null;
}

function groupsOf(claims: Claims, config: IdentityProviderConfig): ReadonlySet<string> {
  const value = claimAt(claims, config.claims.groups);
  const list = Array.isArray(value) ? value : [value];
  return new Set(list.filter((one) => typeof one === 'string'));
}

function organizationOf(claims: Claims, claim: string | null): string | null {
  if (claim === null) return defaultOrganization;
  const value = claimAt(claims, claim);
  return typeof value === 'string' && /^[\w.@:-]{1,128}$/.test(value) ? value : null;
}

function nameOf(claims: Claims, config: IdentityProviderConfig): string | null {
  const found = [config.claims.name, 'preferred_username', 'email', 'name']
    .map((claim) => claimAt(claims, claim))
    .find((value) => typeof value === 'string' && value !== '');
  return typeof found === 'string' ? found : null;
}

/** The claim of that name, or else the one that its dots lead to: `realm_access.roles`. */
function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
