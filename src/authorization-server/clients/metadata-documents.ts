import { isIP } from 'node:net';
import type { Clock } from '../../base/index.ts';
import type { Outbound, OutboundRequest } from '../../outbound/index.ts';

const fetchesPerMinute = 30;
const minuteMs = 60_000;

/**
 * Whether the document behind a client id may be fetched. oidc-provider has checked that it is an https URL; here the
 * names of machines are refused that no public client lives on, and fetches that strangers can cause are bounded.
 */
export function createFetchPolicy(clock: Clock): (clientId: string) => boolean {
  let window = { startedAt: 0, fetches: 0 };
  return (clientId) => {
    const now = clock.monotonic();
    if (now - window.startedAt >= minuteMs || window.fetches === 0) window = { startedAt: now, fetches: 0 };
    if (window.fetches >= fetchesPerMinute || !isPublicName(clientId)) return false;
    window.fetches += 1;
    return true;
  };
}

const privateSuffixes = ['.localhost', '.local', '.internal', '.home.arpa', '.test', '.invalid', '.onion'];

/** @param clientId attacker-controlled URL */
function isPublicName(clientId: string): boolean {
  const url = URL.parse(clientId);
  if (url === null || clientId.length > 1024 || url.pathname === '/') return false;
  const host = url.hostname.replace(/\.$/, '');
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0 || !host.includes('.')) return false;
  return !privateSuffixes.some((suffix) => host.endsWith(suffix));
}

const cacheHeaders = ['cache-control', 'expires'];

/**
 * How documents of clients (metadata, key sets) are fetched: through the guarded way out, on which a name that leads to a
 * private address is not even connected to. Sizes are judged there; of the headers, those on caching are believed, within
 * bounds of ours.
 */
export function guardedFetch(outbound: Outbound, trust: OutboundRequest['trust'] = 'anyone'): typeof fetch {
  return async (input) => {
    const url = input instanceof Request ? input.url : String(input);
    const answer = await outbound.exchange({
      url,
      trust,
      method: 'GET',
      headers: { accept: 'application/json' },
      timeoutMs: 2_500,
      maxBytes: 64 * 1024,
    });
    const headers = new Headers();
    for (const name of ['content-type', ...cacheHeaders]) {
      const value = answer.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    return new Response(answer.body, { status: answer.status, headers });
  };
}

/** Redirects are never followed: the URL that was checked is the URL that answers (draft-ietf-oauth-client-id-metadata-document). */
export function withoutRedirects(fetchDocument: typeof fetch): typeof fetch {
  return (input, init) => fetchDocument(input, { ...init, redirect: 'manual' });
}
