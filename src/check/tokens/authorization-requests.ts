import type { CheckContext } from '../context.ts';
import { discover } from '../discovery/discovery.ts';
import type { NamedSecret } from '../evidence.ts';
import { documentOf, type Exchange } from '../exchange.ts';
import { named } from './read-token-set.ts';

/** Endpoints of the issuer whose tokens the person gave; null where the target names another one. */
async function issuerDocument(context: CheckContext): Promise<Readonly<Record<string, unknown>> | null> {
  const { servers } = await context.once(discover);
  // The metadata is the target's word: a credential goes only to the issuer that the person named themselves.
  const server = servers.find(({ issuer }) => issuer === context.tokens.issuer);
  const document = server?.metadata?.document ?? null;
  return document?.['issuer'] === server?.issuer ? document : null;
}

async function post(
  context: CheckContext,
  endpoint: string,
  form: Readonly<Record<string, string>>,
): Promise<Exchange | null> {
  const url = (await issuerDocument(context))?.[endpoint];
  const { client } = context.tokens;
  if (typeof url !== 'string' || client === null) return null;
  const secret = client.secret?.reveal();
  const basic = `${encodeURIComponent(client.id)}:${encodeURIComponent(secret ?? '')}`;
  return context.door.ask({
    url,
    toIssuer: true,
    headers: [
      ['Content-Type', 'application/x-www-form-urlencoded'],
      ['Accept', 'application/json'],
      ...(secret === undefined
        ? []
        : [['Authorization', `Basic ${Buffer.from(basic).toString('base64')}`] as const]),
    ],
    body: String(new URLSearchParams({ ...form, ...(secret === undefined && { client_id: client.id }) })),
  });
}

/** A token endpoint's answer: the new access token, and the next refresh token where it was rotated. */
export interface Refreshed {
  readonly token: NamedSecret;
  readonly next: NamedSecret | null;
}

/** What came in place of a refresh token that was used: the old one used again would end the grant. */
const successors = new WeakMap<NamedSecret, NamedSecret>();

/** Twice: an issuer may answer the first refresh after a 403 with interaction_required, so that the client asks for more. */
export async function refresh(
  context: CheckContext,
  refreshToken: NamedSecret,
  resource = context.target.href,
): Promise<Refreshed | null> {
  const first = await refreshOnce(context, refreshToken, resource);
  if (first !== null || resource !== context.target.href) return first;
  return refreshOnce(context, refreshToken, resource);
}

async function refreshOnce(
  context: CheckContext,
  refreshToken: NamedSecret,
  resource: string,
): Promise<Refreshed | null> {
  const newest = successors.get(refreshToken) ?? refreshToken;
  const answer = await post(context, 'token_endpoint', {
    grant_type: 'refresh_token',
    refresh_token: newest.secret.reveal(),
    resource,
  });
  const document = answer && documentOf(answer);
  const token = document?.['access_token'];
  if (typeof token !== 'string') return null;
  const rotated = document?.['refresh_token'];
  const next = typeof rotated === 'string' ? named('refresh', rotated) : null;
  const found = { token: named('refreshed', token), next };
  context.door.keep(found.token);
  if (next) {
    context.door.keep(next);
    successors.set(refreshToken, next);
  }
  return found;
}

/** RFC 7009. @returns whether the issuer took it */
export async function revoke(context: CheckContext, token: NamedSecret): Promise<boolean> {
  const answer = await post(context, 'revocation_endpoint', { token: token.secret.reveal() });
  return answer?.status === 200;
}
