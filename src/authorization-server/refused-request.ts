import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { GrantStore } from './granted-access.ts';
import { endRefusedPage } from './pages/index.ts';

type Context = KoaContextWithOIDC & { respond?: boolean };

/**
 * Anybody can register a client and then send people links that begin at our host and end at theirs: an authorization
 * request in error would take the browser there at once (RFC 9700 section 4.11). So an error goes back by itself only to a
 * client that the signed-in person has allowed before; everybody else gets a page with a link. What follows a person's
 * decision on our pages (the `resume` route) is no matter of this: refusing access goes straight back to the client.
 */
export function askBeforeErrorRedirects(provider: Provider, grants: GrantStore): void {
  const failed = new WeakMap<object, Error>();
  provider.on('authorization.error', (ctx, error) => failed.set(ctx, error));
  provider.use(async (ctx, next) => {
    await next();
    const error = failed.get(ctx);
    const { oidc, respond } = ctx as Context;
    // `respond` is false where a page has been sent already.
    if (error === undefined || respond === false || oidc?.route !== 'authorization') return;
    if (wasAllowed(oidc, grants)) return;
    const target = ctx.response.get('location');
    (ctx as Context).respond = false;
    ctx.res.removeHeader('Location');
    endRefusedPage(ctx.res, { message: descriptionOf(error), target: target === '' ? null : target });
  });
}

function wasAllowed({ session, client }: KoaContextWithOIDC['oidc'], grants: GrantStore): boolean {
  const accountId = session?.accountId;
  const clientId = client?.clientId;
  if (accountId === undefined || clientId === undefined) return false;
  return grants.list({ accountId, clientId }).length > 0;
}

function descriptionOf(error: Error): string {
  const { error_description: description } = error as { error_description?: unknown };
  return typeof description === 'string' ? description : error.message;
}
