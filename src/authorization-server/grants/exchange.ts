import type Provider from 'oidc-provider';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { tokenExchangeGrant } from '../clients/index.ts';
import { currentAddress } from '../events.ts';
import { organizationClaim } from '../options.ts';
import { type AccessToken, isRevoked, tokenIdentity, verifyOwn } from '../tokens.ts';
import type { GrantParts } from './grants.ts';
import { type Actor, issueAccessToken } from './issue.ts';
import { grantedScopes } from './scopes.ts';

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
/** Machines that may stand one behind the other. */
const mostActors = 3;

/**
 * Token exchange for delegation (RFC 8693): a registered machine turns a person's token of ours into one for another
 * resource, or with fewer scopes, that says who acts. It never holds more than the token that was given, nor longer.
 */
export function createTokenExchange(provider: Provider, parts: GrantParts) {
  return {
    parameters: [
      ...['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type'],
      ...['requested_token_type', 'resource', 'audience', 'scope'],
    ],
    repeatable: ['resource', 'audience'],
    handle: (ctx: KoaContextWithOIDC) => exchange(provider, parts, ctx),
  };
}

async function exchange(provider: Provider, parts: GrantParts, ctx: KoaContextWithOIDC): Promise<void> {
  const client = parts.clients.find(ctx.oidc.client?.clientId ?? '');
  if (!client?.grants.includes('token_exchange')) {
    throw new errors.UnauthorizedClient('the client is not registered for this grant');
  }
  const parameters = ctx.oidc.params ?? {};
  checkParameters(parameters);
  const subject = await subjectOf(String(parameters['subject_token']), parts);
  const resource = oneResource(parameters['resource']) ?? subject.resource;
  const resourceServer = await parts.resourceServer(ctx, resource);
  const asked = typeof parameters['scope'] === 'string' ? parameters['scope'] : undefined;
  const bounds = [subject.scopes, (resourceServer.scope ?? '').split(' '), subject.roleScopes];
  const scopes = grantedScopes(asked, bounds, subject.scopes);
  const actor = actorOf(client.id, subject.token);
  const issued = await issueAccessToken(provider, ctx, {
    accountId: subject.token.sub,
    grantId: tokenIdentity(subject.token).grantId,
    resource,
    resourceServer,
    scopes,
    lifeSeconds: Math.min(subject.secondsLeft, resourceServer.accessTokenTTL ?? subject.secondsLeft),
    grant: tokenExchangeGrant,
    organization: organizationOf(subject.token),
    actor,
  });
  parts.audit('token.exchanged', {
    client_id: client.id,
    subject: subject.token.sub,
    address: currentAddress(parts.addresses),
    data: {
      subject_jti: subject.token.jti,
      subject_client_id: subject.token.client_id,
      from: subject.resource,
      resource,
      jti: issued.token.jti,
      scopes: scopes.join(' '),
      actors: actorNames(actor).join(' '),
    },
  });
  ctx.body = { ...issued.body, issued_token_type: accessTokenType };
}

/** @param parameters attacker-controlled */
function checkParameters(parameters: Record<string, unknown>): void {
  const requested = parameters['requested_token_type'];
  if (typeof parameters['subject_token'] !== 'string') {
    throw new errors.InvalidRequest('subject_token is missing');
  }
  if (parameters['subject_token_type'] !== accessTokenType && parameters['subject_token_type'] !== jwtType) {
    throw new errors.InvalidRequest(`subject_token_type must be ${accessTokenType}`);
  }
  if (requested !== undefined && requested !== accessTokenType && requested !== jwtType) {
    throw new errors.InvalidRequest(`requested_token_type must be ${accessTokenType}`);
  }
  if (parameters['actor_token'] !== undefined || parameters['actor_token_type'] !== undefined) {
    throw new errors.InvalidRequest('the actor is the authenticated client; actor_token is not taken');
  }
  if (parameters['audience'] !== undefined) {
    throw new errors.InvalidTarget('name the resource with the resource parameter');
  }
}

/** @returns the resource that was named, or undefined for none */
function oneResource(given: unknown): string | undefined {
  const [resource, another] = [given ?? []].flat();
  if (another !== undefined) throw new errors.InvalidTarget('name one resource');
  return resource === undefined ? undefined : String(resource);
}

interface Subject {
  readonly token: AccessToken;
  readonly resource: string;
  readonly scopes: readonly string[];
  /** What the person may hold today, whatever the token says. */
  readonly roleScopes: readonly string[];
  readonly secondsLeft: number;
}

/** A living token of ours that a person holds. Every other one is the same `invalid_grant`. */
async function subjectOf(value: string, parts: GrantParts): Promise<Subject> {
  const token = await verifyOwn(value, parts.tokens);
  if (token === null) throw new errors.InvalidGrant('the subject token is not valid');
  if (isRevoked(parts.tokens.revocations, tokenIdentity(token))) {
    throw new errors.InvalidGrant('the subject token has been revoked');
  }
  // Bound to a key that the machine does not have: without a proof nobody can say that it was not stolen.
  if (token['cnf'] !== undefined) throw new errors.InvalidGrant('the subject token is bound to a key');
  const account = parts.accounts.byId(token.sub);
  if (account === undefined) throw new errors.InvalidGrant('the subject token stands for no account');
  const [resource, another] = [token.aud ?? []].flat();
  const known = parts.resources.some((own) => own.resource === resource);
  if (resource === undefined || another !== undefined || !known) {
    throw new errors.InvalidGrant('the subject token is for none of our resources');
  }
  const secondsLeft = token.exp - Math.ceil(parts.clock.now() / 1000);
  if (secondsLeft < 1) throw new errors.InvalidGrant('the subject token has expired');
  return {
    token,
    resource,
    scopes: String(token['scope'] ?? '')
      .split(' ')
      .filter((scope) => scope !== ''),
    roleScopes: parts.scopesForRole[account.role],
    secondsLeft,
  };
}

function actorOf(clientId: string, token: AccessToken): Actor {
  const before = token['act'] as Actor | undefined;
  const actor = before === undefined ? { sub: clientId } : { sub: clientId, act: before };
  if (actorNames(actor).length > mostActors) throw new errors.InvalidGrant('the chain of actors is too long');
  return actor;
}

/** Who acts, the present one first. */
function actorNames(actor: Actor): string[] {
  return [actor.sub, ...(actor.act === undefined ? [] : actorNames(actor.act))];
}

function organizationOf(token: AccessToken): string | null {
  const organization = token[organizationClaim];
  return typeof organization === 'string' ? organization : null;
}
