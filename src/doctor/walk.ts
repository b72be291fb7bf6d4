import { type ReadChallenge, readChallenge } from './challenge.ts';
import type { ClientProfile, Opening, ResourceMetadataPlace, ServerMetadataPlace } from './profiles.ts';
import type { Visit, Visited, VisitRequest } from './visit.ts';

/** A document, and where it was found. */
export interface Found {
  readonly url: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** How far a client gets without a token. */
export interface Walk {
  readonly steps: readonly Visited[];
  /** The answer to its first request. */
  readonly opening: Visited;
  readonly challenge: ReadChallenge | null;
  readonly resourceMetadata: Found | null;
  readonly issuer: string | null;
  readonly serverMetadata: Found | null;
}

/** Goes where the client goes, in its order, as far as it comes. */
export async function walk(profile: ClientProfile, target: URL, visit: Visit): Promise<Walk> {
  const steps: Visited[] = [];
  const go = async (request: VisitRequest): Promise<Visited> => {
    const visited = await visit(request);
    steps.push(visited);
    return visited;
  };
  const opening = await open(profile.opens, target, go);
  const challenge = opening.status === 401 ? readChallenge(opening.headers.get('www-authenticate')) : null;
  const came = { steps, opening, challenge };
  if (opening.status !== 401) return { ...came, resourceMetadata: null, issuer: null, serverMetadata: null };
  const places = profile.resourceMetadata.map((place) => resourceMetadataUrl(place, target, challenge));
  const resourceMetadata = await firstDocument(places, go);
  const issuer = resourceMetadata ? issuerOf(resourceMetadata) : originOf(profile, target);
  const serverMetadata =
    issuer === null
      ? null
      : await firstDocument(
          profile.serverMetadata.map((place) => serverMetadataUrl(place, issuer)),
          go,
        );
  return { ...came, resourceMetadata, issuer, serverMetadata };
}

/** A server that does not know the request of 2026 answers with another error than 401: then the older one is sent. */
async function open(opens: readonly Opening[], target: URL, go: Visit): Promise<Visited> {
  let answer: Visited | null = null;
  for (const opening of opens) {
    answer = await go(openingRequest(opening, target));
    if (answer.status === 401 || answer.status === 0) break;
  }
  if (answer === null) throw new Error('a profile without a first request');
  return answer;
}

function openingRequest(opening: Opening, target: URL): VisitRequest {
  const clientInfo = { name: 'portcullis-doctor', version: '1' };
  const prefix = 'io.modelcontextprotocol';
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  if (opening === 'initialize') {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    return { method: 'POST', url: target.href, headers, body: message('initialize', params) };
  }
  const _meta = {
    [`${prefix}/protocolVersion`]: '2026-07-28',
    [`${prefix}/clientInfo`]: clientInfo,
    [`${prefix}/clientCapabilities`]: {},
  };
  return {
    method: 'POST',
    url: target.href,
    headers: { ...headers, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' },
    body: message('server/discover', { _meta }),
  };
}

function message(method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
}

async function firstDocument(urls: readonly (string | null)[], go: Visit): Promise<Found | null> {
  for (const url of new Set(urls)) {
    if (url === null) continue;
    const { status, document } = await go({ method: 'GET', url, headers: { accept: 'application/json' } });
    if (status === 200 && document !== null) return { url, document };
  }
  return null;
}

const resourceDocument = '/.well-known/oauth-protected-resource';

export function resourceMetadataUrl(
  place: ResourceMetadataPlace,
  target: URL,
  challenge: ReadChallenge | null,
): string | null {
  if (place === 'challenge') return fetchable(challenge?.resourceMetadata ?? null);
  return target.origin + resourceDocument + (place === 'path' ? pathOf(target) : '');
}

function serverMetadataUrl(place: ServerMetadataPlace, issuer: string): string {
  const url = new URL(issuer);
  const path = pathOf(url);
  if (place === 'oauth') return `${url.origin}/.well-known/oauth-authorization-server${path}`;
  if (place === 'openid') return `${url.origin}/.well-known/openid-configuration${path}`;
  return `${url.origin}${path}/.well-known/openid-configuration`;
}

function pathOf(url: URL): string {
  return url.pathname.replace(/\/$/, '');
}

/** Clients take the first one. */
function issuerOf({ document }: Found): string | null {
  const [first] = [document['authorization_servers']].flat();
  return typeof first === 'string' ? fetchable(first) : null;
}

function originOf(profile: ClientProfile, target: URL): string | null {
  return profile.withoutResourceMetadata === 'origin' ? target.origin : null;
}

/** @param url attacker-controlled. @returns it, if it is one that may be fetched at all */
function fetchable(url: string | null): string | null {
  const parsed = url === null || url.length > 2048 ? null : URL.parse(url);
  return parsed && /^https?:$/.test(parsed.protocol) ? url : null;
}
