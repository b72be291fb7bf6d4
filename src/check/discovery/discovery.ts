import type { CheckContext } from '../context.ts';
import { documentOf, type Exchange, headerOf, isRecord, isSuccess, stringsOf } from '../exchange.ts';
import { bearerOf, type Challenge } from './challenge.ts';
import { openings } from './openings.ts';

/** A document, and the exchange that brought it, or did not. */
export interface Sought {
  readonly url: string;
  readonly exchange: Exchange;
  readonly document: Readonly<Record<string, unknown>> | null;
}

export interface AuthorizationServer {
  /** As the resource metadata writes it. */
  readonly issuer: string;
  /** The first place that has a document, or the last one that was tried. */
  readonly metadata: Sought | null;
  readonly tried: readonly Exchange[];
}

/** What anybody can find out about who gives tokens for the target. */
export interface Discovery {
  /** The first 401. */
  readonly refused: Exchange | null;
  readonly challenge: Challenge | null;
  readonly atPath: Sought;
  readonly atRoot: Sought;
  readonly named: Sought | null;
  /** The document that a client would use. */
  readonly resource: Sought | null;
  readonly servers: readonly AuthorizationServer[];
}

const wellKnown = '/.well-known/oauth-protected-resource';
/** Of a list that the server wrote. */
const mostServers = 3;

export async function discover(context: CheckContext): Promise<Discovery> {
  const { target } = context;
  const refused =
    (await context.once(openings)).find(({ exchange }) => exchange.status === 401)?.exchange ?? null;
  const challenge = refused && bearerOf(headerOf(refused, 'www-authenticate'));
  const path = target.pathname === '/' ? '' : target.pathname;
  const atPath = await seek(context, target.origin + wellKnown + path);
  const atRoot = path === '' ? atPath : await seek(context, target.origin + wellKnown);
  const url = challenge?.parameters.get('resource_metadata');
  const known = [atPath, atRoot].find((one) => one.url === url);
  const named = url === undefined ? null : (known ?? (await seek(context, url)));
  const resource = [named, atPath, atRoot].find((one) => one?.document) ?? null;
  const issuers = stringsOf(resource?.document?.['authorization_servers'])
    .filter((issuer) => issuer !== context.mill?.issuer)
    .slice(0, mostServers);
  const servers: AuthorizationServer[] = [];
  for (const issuer of issuers) servers.push(await serverOf(context, issuer));
  return { refused, challenge, atPath, atRoot, named, resource, servers };
}

export async function serverOf(context: CheckContext, issuer: string): Promise<AuthorizationServer> {
  const url = URL.parse(issuer);
  if (url === null) return { issuer, metadata: null, tried: [] };
  const path = url.pathname.replace(/\/$/, '');
  const places = new Set([
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
    `${url.origin}/.well-known/openid-configuration${path}`,
    `${url.origin}${path}/.well-known/openid-configuration`,
  ]);
  const tried: Exchange[] = [];
  for (const place of places) {
    const sought = await seek(context, place);
    tried.push(sought.exchange);
    if (sought.document !== null) return { issuer, metadata: sought, tried };
  }
  return { issuer, metadata: null, tried };
}

/** @param url may be the server's word */
export async function seek({ door }: CheckContext, url: string): Promise<Sought> {
  if (URL.parse(url) === null) {
    const request = { method: 'GET', url: url.slice(0, 2048), headers: [], body: null };
    const exchange = { request, status: 0, headers: [], body: '', cut: null, failure: 'not a URL', ms: 0 };
    return { url, exchange, document: null };
  }
  const exchange = await door.ask({ url, method: 'GET', headers: [['Accept', 'application/json']] });
  return { url, exchange, document: isSuccess(exchange) ? documentOf(exchange) : null };
}

/** The document of the first authorization server that has one. */
export async function serverMetadata(
  context: CheckContext,
): Promise<Readonly<Record<string, unknown>> | null> {
  const { servers } = await context.once(discover);
  return servers.find(({ metadata }) => metadata !== null)?.metadata?.document ?? null;
}

export interface PublicKey extends Readonly<Record<string, unknown>> {
  readonly kty: string;
}

/** The keys that the authorization server signs with, as far as it publishes them. */
export async function publishedKeys(context: CheckContext): Promise<readonly PublicKey[]> {
  const url = (await context.once(serverMetadata))?.['jwks_uri'];
  if (typeof url !== 'string') return [];
  const keys = (await seek(context, url)).document?.['keys'];
  return Array.isArray(keys) ? keys.slice(0, 20).filter(isKey) : [];
}

function isKey(value: unknown): value is PublicKey {
  return isRecord(value) && typeof value['kty'] === 'string';
}
