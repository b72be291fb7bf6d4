import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { GrantedAccess, GrantStore } from './granted-access.ts';
import { isRememberable } from './interaction-policy.ts';

type LoadExistingGrant = NonNullable<Configuration['loadExistingGrant']>;

/**
 * The grant that an authorization request continues: the one that the person has just given; else, for clients whose
 * consent may be remembered, the one of this person and client that covers most of what is asked. Whether it is enough
 * is for oidc-provider's consent policy, which asks again as soon as a scope or resource is missing.
 */
export function rememberConsent(grants: GrantStore): LoadExistingGrant {
  return async (ctx) => {
    const { oidc } = ctx;
    const { Grant } = oidc.provider;
    const fresh = oidc.result?.consent?.grantId;
    if (fresh) return Grant.find(fresh);
    const accountId = oidc.account?.accountId;
    const clientId = oidc.client?.clientId;
    if (accountId === undefined || clientId === undefined || !isRememberable(oidc)) return undefined;
    const [best] = grants
      .list({ accountId, clientId })
      .map((grant) => ({ id: grant.id, covered: covered(grant, oidc) }))
      .sort((a, b) => b.covered - a.covered);
    return best && Grant.find(best.id);
  };
}

function covered(grant: GrantedAccess, { params }: KoaContextWithOIDC['oidc']): number {
  const asked = new Set(String(params?.['scope'] ?? '').split(' '));
  const named: unknown[] = [params?.['resource']].flat();
  return grant.resources
    .filter(({ resource }) => named.includes(resource))
    .reduce((count, { scopes }) => count + scopes.filter((scope) => asked.has(scope)).length, 0);
}
