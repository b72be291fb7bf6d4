import type Provider from 'oidc-provider';
import type { AccessToken, KoaContextWithOIDC, ResourceServer } from 'oidc-provider';
import { checkDpopReplay, checkDpopRequired, validateDpop } from 'oidc-provider/lib/helpers/grants.js';
import type { ConfiguredClients } from '../clients/index.ts';
import { organizationClaim } from '../options.ts';

/** `act` of RFC 8693 section 4.1: who acts now, and below it who acted before. */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

export interface Issuance {
  readonly accountId: string;
  /** What a revocation ends it by. */
  readonly grantId: string | null;
  readonly resource: string;
  readonly resourceServer: ResourceServer;
  readonly scopes: readonly string[];
  readonly lifeSeconds: number;
  readonly grant: string;
  readonly organization: string | null;
  readonly actor: Actor | null;
}

/** Claims of tokens that are being made: oidc-provider asks for them while it writes one. */
const claims = new WeakMap<object, { readonly organization: string | null; readonly actor: Actor | null }>();

/** What `extraTokenClaims` adds for a token of one of these grants. */
export function claimsOfGrant(
  token: { readonly kind: string; readonly clientId?: string | undefined },
  clients: ConfiguredClients,
): Record<string, unknown> {
  if (token.kind === 'ClientCredentials') {
    return { [organizationClaim]: clients.find(token.clientId ?? '')?.organization };
  }
  const extra = claims.get(token);
  if (extra === undefined) return {};
  return {
    ...(extra.organization !== null && { [organizationClaim]: extra.organization }),
    ...(extra.actor !== null && { act: extra.actor }),
  };
}

/** An access token without a refresh token, bound to the client's key where it proves one (RFC 9449 section 5). */
export async function issueAccessToken(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  issuance: Issuance,
): Promise<{ readonly value: string; readonly token: AccessToken; readonly body: Record<string, unknown> }> {
  const { client } = ctx.oidc;
  if (client === undefined) throw new Error('a grant without a client');
  const proof = await validateDpop(provider, ctx);
  checkDpopRequired(provider, ctx, proof);
  await checkDpopReplay(provider, ctx, proof, client.clientId);
  const token = new provider.AccessToken({
    accountId: issuance.accountId,
    client,
    gty: issuance.grant,
    scope: issuance.scopes.join(' '),
    ...(issuance.grantId !== null && { grantId: issuance.grantId }),
    expiresIn: issuance.lifeSeconds,
  } as unknown as ConstructorParameters<typeof provider.AccessToken>[0]);
  token.resourceServer = new provider.ResourceServer(issuance.resource, issuance.resourceServer);
  if (proof)
    (token as { setThumbprint(name: string, value: string): void }).setThumbprint('jkt', proof.thumbprint);
  claims.set(token, { organization: issuance.organization, actor: issuance.actor });
  const value = await token.save();
  return {
    value,
    token,
    body: {
      access_token: value,
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: issuance.scopes.join(' '),
    },
  };
}
