import type Provider from 'oidc-provider';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { type Clock, equalInConstantTime } from '../../base/index.ts';
import { endpoints } from '../metadata.ts';
import { isStoredSecret } from '../stores/concealment.ts';

/** An assertion proves a client now; one that lives longer is a password, and has to be remembered as long. */
const longestAssertionSeconds = 3600;
const longestAssertionId = 512;

/** Secrets are stored as hashes: this is how oidc-provider documents to compare them. */
export function compareHashedSecrets(provider: Provider): void {
  provider.Client.prototype.compareClientSecret = function (presented: string): boolean {
    return isStoredSecret(this.clientSecret ?? '', presented, equalInConstantTime);
  };
}

/**
 * What the `aud` of a client assertion may be: the issuer, or the endpoint's URL (RFC 7523 section 3). ChatGPT joins the
 * issuer and a path with one slash too many, so these exact strings count too; nothing is normalized. All of them name
 * this server: an assertion that is made for any of them was made for us.
 */
export function acceptAssertionAudiences(provider: Provider): void {
  const { issuer } = provider;
  const { origin, pathname } = new URL(issuer);
  // Left out of oidc-provider's types.
  const context = provider.OIDCContext.prototype as { clientJwtAuthExpectedAudience?: () => Set<string> };
  context.clientJwtAuthExpectedAudience = function (this: { route?: string }) {
    const route = this.route === undefined ? undefined : pathOf(this.route);
    const paths = [...new Set([endpoints.token, ...(route === undefined ? [] : [route])])];
    const spellings = paths.flatMap((path) => [
      issuer + path,
      `${issuer}/${path}`,
      `${origin}/${pathname}${path}`,
    ]);
    return new Set([issuer, `${issuer}/`, ...spellings]);
  };
}

const pathsByRoute: Readonly<Record<string, string>> = {
  token: endpoints.token,
  revocation: endpoints.revocation,
  introspection: endpoints.introspection,
  pushed_authorization_request: endpoints.pushed_authorization_request,
};

function pathOf(route: string): string | undefined {
  return Object.hasOwn(pathsByRoute, route) ? pathsByRoute[route] : undefined;
}

/** Rules for client assertions beyond oidc-provider's own. @param claims attacker-controlled until the signature holds */
export function createAssertionRules(clock: Clock) {
  return (_ctx: KoaContextWithOIDC, claims: Record<string, unknown>): void => {
    const { aud, exp, jti } = claims;
    // One that is made for others too can be replayed here by those others.
    if (Array.isArray(aud) && aud.length !== 1) throw refuse('the assertion must have one audience');
    if (typeof exp !== 'number' || exp > clock.now() / 1000 + longestAssertionSeconds) {
      throw refuse('the assertion must expire within an hour');
    }
    if (typeof jti !== 'string' || jti.length > longestAssertionId) {
      throw refuse(`the jti must be a string of at most ${longestAssertionId} characters`);
    }
  };
}

function refuse(detail: string): Error {
  return new errors.InvalidClientAuth(detail);
}

/** True for a client that registered itself: nobody but itself vouches for what it says. */
export function isSelfRegistered(client: object): boolean {
  return 'clientIdIssuedAt' in client && client.clientIdIssuedAt !== undefined;
}
