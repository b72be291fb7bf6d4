import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Clock } from '../base/index.ts';
import type { AccountStore } from './accounts/index.ts';
import type { ConfiguredClients } from './clients/index.ts';
import type { Addresses, Audit } from './events.ts';
import type { Keys } from './keys.ts';
import { grantClaim } from './options.ts';
import type { RevocationList } from './revocation.ts';

export interface TokenParts {
  readonly issuer: string;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly revocations: RevocationList;
  readonly accounts: AccountStore;
  /** Whose tokens stand for themselves: a machine's subject is its client id. */
  readonly clients: ConfiguredClients;
  readonly audit: Audit;
  readonly addresses: Addresses;
}

/**
 * oidc-provider authenticates the client at /revoke and /introspect and then refuses JWTs as tokens it does not store.
 * This takes over at that point, so that RFC 7009 and RFC 7662 hold for access tokens too.
 */
export function answerForAccessTokens(provider: Provider, parts: TokenParts): void {
  provider.use(async (ctx, next) => {
    await next();
    const { oidc } = ctx as KoaContextWithOIDC;
    const isStructured = (ctx.body as { error?: unknown } | null)?.error === 'unsupported_token_type';
    const clientId = oidc?.client?.clientId;
    if (!isStructured || clientId === undefined) return;
    const token = await verifyOwn(String(oidc.params?.['token']), parts);
    // Somebody else's token is answered like one that does not exist (RFC 7009 section 2.1, RFC 7662 section 4).
    const own = token?.client_id === clientId ? token : null;
    // Whoever shows one all the same has got it from somewhere.
    if (token !== null && own === null) auditForeign(ctx as KoaContextWithOIDC, { clientId, token, parts });
    ctx.status = 200;
    if (oidc.route === 'introspection') {
      ctx.body = own === null || isEnded(own, parts) ? { active: false } : introspection(own);
      return;
    }
    ctx.body = '';
    if (own !== null) revokeAccessToken(own, parts, parts.addresses.get(ctx.req) ?? null);
  });
}

function auditForeign(
  { req, oidc }: KoaContextWithOIDC,
  { clientId, token, parts }: { clientId: string; token: AccessToken; parts: TokenParts },
): void {
  const event = oidc.route === 'introspection' ? 'introspection.refused' : 'revocation.refused';
  const address = parts.addresses.get(req) ?? null;
  parts.audit(event, { client_id: clientId, address, data: { reason: 'other_client', jti: token.jti } });
}

export type AccessToken = JWTPayload & { jti: string; sub: string; exp: number; client_id: string };

/** The claims of a living access token of ours; null for anything else. */
export async function verifyOwn(
  token: string,
  { issuer, keys, clock }: TokenParts,
): Promise<AccessToken | null> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys.publicKeys()), {
      issuer,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['jti', 'sub', 'exp', 'client_id'],
      currentDate: new Date(clock.now()),
    });
    return payload as AccessToken;
  } catch {
    return null;
  }
}

function isEnded(token: AccessToken, { revocations, accounts, clients }: TokenParts): boolean {
  if (isRevoked(revocations, tokenIdentity(token))) return true;
  const isMachine = token.sub === token.client_id && clients.find(token.sub) !== undefined;
  return !isMachine && accounts.byId(token.sub) === undefined;
}

function introspection(token: AccessToken): Record<string, unknown> {
  const { [grantClaim]: _internal, ...claims } = token;
  return { active: true, token_type: claims['cnf'] === undefined ? 'Bearer' : 'DPoP', ...claims };
}

/** RFC 7009 section 2.1: the token alone; the refresh token of its grant lives on. */
function revokeAccessToken(
  token: AccessToken,
  { revocations, audit }: TokenParts,
  address: string | null,
): void {
  if (revocations.has('jti', token.jti)) return;
  revocations.add('jti', token.jti, token.exp * 1000);
  audit('token.revoked', {
    client_id: token.client_id,
    subject: token.sub,
    address,
    data: { jti: token.jti },
  });
}

export interface TokenIdentity {
  readonly jti: string;
  readonly grantId: string | null;
  readonly clientId: string;
  readonly subject: string;
}

export function tokenIdentity(token: AccessToken): TokenIdentity {
  const grant = token[grantClaim];
  return {
    jti: token.jti,
    grantId: typeof grant === 'string' ? grant : null,
    clientId: token.client_id,
    subject: token.sub,
  };
}

/**
 * A client or person whose access was revoked may be given access again, and that is then another grant: so tokens that
 * come from a grant end with it, and only those that come from none (machines) by the name of whom they are for.
 */
export function isRevoked(list: RevocationList, token: TokenIdentity): boolean {
  return (
    list.has('jti', token.jti) ||
    (token.grantId !== null && list.has('grant', token.grantId)) ||
    (token.grantId === null && (list.has('client', token.clientId) || list.has('subject', token.subject)))
  );
}
