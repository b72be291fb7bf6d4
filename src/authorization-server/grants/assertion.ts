import { decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import type Provider from 'oidc-provider';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { messageOf } from '../../base/index.ts';
import type { EnterpriseIssuerConfig } from '../../config/index.ts';
import { IssuerKeys, IssuerUnavailable } from '../../identity/index.ts';
import type { Account } from '../accounts/index.ts';
import { jwtBearerGrant } from '../clients/index.ts';
import { canonicalResource } from '../resources.ts';
import type { GrantParts } from './grants.ts';
import { issueAccessToken } from './issue.ts';
import { grantedScopes } from './scopes.ts';

const assertionType = 'oauth-id-jag+jwt';
const skewSeconds = 30;
/** An identity assertion proves a moment. What lives longer would also have to be remembered as long. */
const longestLifeSeconds = 3600;
const longestText = 512;

interface TrustedIssuer {
  readonly config: EnterpriseIssuerConfig;
  readonly keys: IssuerKeys;
}

/**
 * Enterprise-managed authorization: an identity provider's assertion grant (ID-JAG) becomes an access token
 * (draft-ietf-oauth-identity-assertion-authz-grant; MCP ext-auth, section 5). Nobody is asked: the enterprise decided.
 */
export function createAssertionGrant(provider: Provider, parts: GrantParts) {
  const issuers = new Map(
    parts.enterprise.map((config): [string, TrustedIssuer] => [
      config.issuer,
      {
        config,
        keys: new IssuerKeys({ ...config, outbound: parts.outbound, clock: parts.clock, log: parts.log }),
      },
    ]),
  );
  return {
    parameters: ['assertion', 'scope', 'resource'],
    handle: (ctx: KoaContextWithOIDC) => grant(ctx, { provider, parts, issuers }),
  };
}

interface GrantContext {
  readonly provider: Provider;
  readonly parts: GrantParts;
  readonly issuers: ReadonlyMap<string, TrustedIssuer>;
}

async function grant(ctx: KoaContextWithOIDC, context: GrantContext): Promise<void> {
  const { provider, parts } = context;
  const client = parts.clients.find(ctx.oidc.client?.clientId ?? '');
  if (!client?.grants.includes('jwt_bearer')) {
    throw new errors.UnauthorizedClient('the client is not registered for this grant');
  }
  const parameters = ctx.oidc.params ?? {};
  const { claims, issuer } = await verifiedAssertion(parameters['assertion'], client.id, context);
  const resource = resourceOf(claims, parameters['resource'], parts);
  const resourceServer = await parts.resourceServer(ctx, resource);
  const asked = typeof parameters['scope'] === 'string' ? parameters['scope'] : undefined;
  const allowed = [(resourceServer.scope ?? '').split(' '), parts.scopesForRole.user];
  const vouched = scopesOf(claims);
  const scopes = grantedScopes(asked, vouched ? [...allowed, vouched] : allowed, vouched ?? parts.baseline);
  await spend(provider, claims);
  const account = parts.enterpriseAccounts.accountOf({
    issuer: claims.iss,
    subject: claims.sub,
    email: textClaim(claims['email']),
  });
  if (account === null) throw new errors.InvalidGrant('the account was removed');
  const lifeSeconds = resourceServer.accessTokenTTL ?? 60;
  const grantId = await saveGrant(provider, { account, clientId: client.id, resource, scopes, lifeSeconds });
  const issued = await issueAccessToken(provider, ctx, {
    accountId: account.id,
    grantId,
    resource,
    resourceServer,
    scopes,
    lifeSeconds,
    grant: jwtBearerGrant,
    organization: textClaim(claims[issuer.claims.organization ?? '']) ?? client.organization,
    actor: null,
  });
  ctx.body = issued.body;
}

type AssertionClaims = JWTPayload & {
  readonly iss: string;
  readonly sub: string;
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
};

/** @param assertion attacker-controlled until the signature holds. Every fault is the same `invalid_grant`. */
async function verifiedAssertion(
  assertion: unknown,
  clientId: string,
  { parts, issuers }: GrantContext,
): Promise<{ claims: AssertionClaims; issuer: EnterpriseIssuerConfig }> {
  if (typeof assertion !== 'string') throw new errors.InvalidRequest('assertion is missing');
  const trusted = issuers.get(unverifiedIssuer(assertion));
  if (trusted === undefined) throw new errors.InvalidGrant('the issuer of the assertion is not trusted');
  const claims = await verifySignature(assertion, trusted, parts);
  const fault = claimFault(claims, { clientId, expected: trusted.config.audience ?? parts.issuer, parts });
  if (fault !== null) throw new errors.InvalidGrant(fault);
  if (!trusted.config.clientIds.includes(clientId)) {
    throw new errors.InvalidGrant('the client may not present assertions of this issuer');
  }
  return { claims: claims as AssertionClaims, issuer: trusted.config };
}

function unverifiedIssuer(assertion: string): string {
  try {
    return decodeJwt(assertion).iss ?? '';
  } catch {
    return '';
  }
}

async function verifySignature(
  assertion: string,
  { config, keys }: TrustedIssuer,
  { clock, log }: GrantParts,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(assertion, keys.find, {
      issuer: config.issuer,
      typ: assertionType,
      algorithms: [...config.algorithms],
      requiredClaims: ['iss', 'sub', 'aud', 'resource', 'client_id', 'jti', 'exp', 'iat'],
      clockTolerance: skewSeconds,
      currentDate: new Date(clock.now()),
    });
    return payload;
  } catch (error) {
    if (!(error instanceof IssuerUnavailable)) throw new errors.InvalidGrant(messageOf(error));
    log.warn({ issuer: config.issuer }, 'an assertion could not be checked: its issuer does not answer');
    throw unavailable();
  }
}

/** Neither good nor bad: the client may try again. */
function unavailable(): Error {
  const error = new errors.TemporarilyUnavailable('the assertion cannot be checked at the moment');
  return Object.assign(error, { status: 503, statusCode: 503, expose: true });
}

function claimFault(
  claims: JWTPayload,
  { clientId, expected, parts }: { clientId: string; expected: string; parts: GrantParts },
): string | null {
  const now = parts.clock.now() / 1000;
  const { sub, jti, iat, exp } = claims;
  // One that is made for others too could be carried on to us by those others.
  const [audience, another] = [claims.aud].flat();
  if (audience !== expected || another !== undefined) return 'the assertion is not meant for us alone';
  if (claims['client_id'] !== clientId) return 'the assertion was given to another client';
  if (typeof sub !== 'string' || sub === '' || sub.length > longestText) return 'sub is not usable';
  if (typeof jti !== 'string' || jti === '' || jti.length > longestText) return 'jti is not usable';
  if (typeof iat !== 'number' || iat > now + skewSeconds) return 'iat lies in the future';
  if (typeof exp !== 'number' || exp - now > longestLifeSeconds) return 'the assertion lives too long';
  return claims['cnf'] === undefined ? null : 'the assertion is bound to a key';
}

/** The resource that the enterprise allowed; a request may repeat it, and nothing else. */
function resourceOf(claims: JWTPayload, requested: unknown, { resources }: GrantParts): string {
  const [named, another] = [claims['resource']].flat();
  const resource =
    typeof named === 'string' && another === undefined ? canonicalResource(named, resources) : null;
  if (resource === null)
    throw new errors.InvalidTarget('the assertion is for no resource that is served here');
  if (requested !== undefined && requested !== resource) {
    throw new errors.InvalidTarget('the assertion is for another resource');
  }
  return resource;
}

/** Null where the enterprise left the scopes to us. */
function scopesOf(claims: JWTPayload): readonly string[] | null {
  const scope = claims['scope'];
  if (scope === undefined) return null;
  if (typeof scope !== 'string') throw new errors.InvalidGrant('scope is no string');
  return scope.split(' ').filter((one) => one !== '');
}

/** RFC 7523 section 3, point 7: an assertion is worth one token. Held in the store, for every process on it. */
async function spend(provider: Provider, { iss, jti, exp }: AssertionClaims): Promise<void> {
  const used = JSON.stringify([assertionType, iss]);
  const isFirst = await provider.ReplayDetection.unique(used, jti, Math.ceil(exp) + skewSeconds);
  if (!isFirst) throw new errors.InvalidGrant('the assertion was used before');
}

interface GrantRecord {
  readonly account: Account;
  readonly clientId: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly lifeSeconds: number;
}

/** What the token is revoked by when the account ends. Lives as long as the token. */
async function saveGrant(
  provider: Provider,
  { account, clientId, resource, scopes, lifeSeconds }: GrantRecord,
): Promise<string> {
  const content = { accountId: account.id, clientId, expiresIn: lifeSeconds };
  const record = new provider.Grant(content as ConstructorParameters<typeof provider.Grant>[0]);
  record.addResourceScope(resource, scopes.join(' '));
  return record.save();
}

function textClaim(claim: unknown): string | null {
  return typeof claim === 'string' && claim !== '' && claim.length <= 200 ? claim : null;
}
