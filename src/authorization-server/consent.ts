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

/** What a client asks for, whoever is to decide about it. */
export interface RequestDescription {
  readonly client: {
    readonly id: string;
    readonly name: string | null;
    readonly documentHost: string | null;
    /** All its redirect URIs lead to this computer. */
    readonly loopbackOnly: boolean;
  };
  readonly target: RedirectTarget;
  readonly resources: readonly ProtectedResource[];
  readonly asked: readonly ScopeDescription[];
}

/** What the person decides about. */
export interface ConsentChoice extends RequestDescription {
  readonly account: Account;
  /** Asked for and within what the account's role may give. */
  readonly granted: readonly ScopeDescription[];
  /** Asked for and beyond it. */
  readonly withheld: readonly ScopeDescription[];
}

/** Null when client or redirect are no longer there. */
export async function describeRequest(
  { options, provider }: Omit<ConsentParts, 'accounts'>,
  { params }: Pick<Interaction, 'params'>,
): Promise<RequestDescription | null> {
  const client = await provider().Client.find(String(params['client_id']));
  const { redirectSchemes } = options.config.clients;
  const target = redirectTarget(String(params['redirect_uri']), redirectSchemes);
  if (client === undefined || target === null) return null;
  const asked = new Set(String(params['scope'] ?? '').split(' '));
  const named = new Set([params['resource']].flat());
  return {
    client: {
      id: client.clientId,
      name: client.clientName ?? null,
      documentHost: client.clientIdMetadataDocument ? new URL(client.clientId).host : null,
      loopbackOnly: areAllLoopback(client.redirectUris ?? []),
    },
    target,
    resources: options.resources.filter(({ resource }) => named.has(resource)),
    asked: options.scopes.filter(({ scope }) => asked.has(scope)),
  };
}

/** Null when account, client or redirect are no longer there. */
export async function consentChoice(
  parts: ConsentParts,
  interaction: Interaction,
): Promise<ConsentChoice | null> {
  const id = interaction.session?.accountId;
  const account = id === undefined ? undefined : parts.accounts.byId(id);
  const request = await describeRequest(parts, interaction);
  if (account === undefined || request === null) return null;
  const ceiling = parts.options.scopesForRole[account.role];
  return {
    ...request,
    account,
    granted: request.asked.filter(({ scope }) => ceiling.includes(scope)),
    withheld: request.asked.filter(({ scope }) => !ceiling.includes(scope)),
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
