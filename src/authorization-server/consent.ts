import type Provider from 'oidc-provider';
import type { Account, AccountStore } from './accounts/index.ts';
import type { ProtectedResource, ScopeDescription } from './authorization-server.ts';
import { areAllLoopback, type RedirectTarget, redirectTarget } from './clients/index.ts';
import type { AuthorizationServerOptions } from './options.ts';
import { offlineAccess } from './scopes.ts';

export interface ConsentParts {
  readonly options: AuthorizationServerOptions;
  readonly provider: () => Provider;
  readonly accounts: AccountStore;
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

/** What the person decides about. */
export interface ConsentChoice {
  readonly account: Account;
  readonly client: {
    readonly id: string;
    readonly name: string | null;
    readonly documentHost: string | null;
    /** All its redirect URIs lead to this computer. */
    readonly loopbackOnly: boolean;
  };
  readonly target: RedirectTarget;
  readonly resources: readonly ProtectedResource[];
  /** Asked for and within what the account's role may give. */
  readonly granted: readonly ScopeDescription[];
  /** Asked for and beyond it. */
  readonly withheld: readonly ScopeDescription[];
}

/** Null when account, client or redirect are no longer there. */
export async function consentChoice(
  { options, provider, accounts }: ConsentParts,
  { params, session }: Interaction,
): Promise<ConsentChoice | null> {
  const account = session?.accountId === undefined ? undefined : accounts.byId(session.accountId);
  const client = await provider().Client.find(String(params['client_id']));
  const { redirectSchemes } = options.config.clients;
  const target = redirectTarget(String(params['redirect_uri']), redirectSchemes);
  if (account === undefined || client === undefined || target === null) return null;
  const asked = new Set(String(params['scope'] ?? '').split(' '));
  const ceiling = options.scopesForRole[account.role];
  const described = options.scopes.filter(({ scope }) => asked.has(scope));
  const named = new Set([params['resource']].flat());
  return {
    account,
    client: {
      id: client.clientId,
      name: client.clientName ?? null,
      documentHost: client.clientIdMetadataDocument ? new URL(client.clientId).host : null,
      loopbackOnly: areAllLoopback(client.redirectUris ?? []),
    },
    target,
    resources: options.resources.filter(({ resource }) => named.has(resource)),
    granted: described.filter(({ scope }) => ceiling.includes(scope)),
    withheld: described.filter(({ scope }) => !ceiling.includes(scope)),
  };
}

/** Each consent is a grant of its own, so that one client's stolen refresh token does not end what another was given. */
export async function saveGrant(
  { provider }: ConsentParts,
  { params }: Interaction,
  { account, client, resources, granted }: ConsentChoice,
): Promise<string> {
  const { Grant } = provider();
  const grant = new Grant({ accountId: account.id, clientId: client.id });
  const scope = granted.map((description) => description.scope).join(' ');
  for (const { resource } of resources) grant.addResourceScope(resource, scope);
  if (String(params['scope']).split(' ').includes(offlineAccess)) grant.addOIDCScope(offlineAccess);
  return grant.save();
}
