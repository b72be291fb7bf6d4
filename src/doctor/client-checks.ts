import { advice, blocking, type Check, type Finding, strings } from './finding.ts';
import type { Registration, Wish } from './profiles.ts';

/** Whether the client can make itself known. Nothing is registered: what is advertised is believed. */
export const canRegister: Check = ({ profile, walk }) => {
  const document = walk.serverMetadata?.document ?? {};
  const methods = strings(document['token_endpoint_auth_methods_supported']);
  const metadata = document['client_id_metadata_document_supported'] === true;
  if (metadata && profile.registration.includes('metadata-key') && !methods.includes('private_key_jwt')) {
    return blocking(
      'it sends a metadata document with private_key_jwt, which is not offered',
      'add "private_key_jwt" to token_endpoint_auth_methods_supported',
    );
  }
  const offered: Readonly<Record<Registration, boolean>> = {
    'metadata-none': metadata && methods.includes('none'),
    'metadata-key': metadata,
    dynamic: typeof document['registration_endpoint'] === 'string',
  };
  if (profile.registration.some((way) => offered[way])) return null;
  const change = profile.registration.includes('metadata-none')
    ? 'advertise client_id_metadata_document_supported with the method "none", or a registration_endpoint'
    : 'advertise a registration_endpoint (auth.embedded.clients.dynamicRegistration), or give it a client id';
  return blocking('it cannot make itself known: no way of registration that it uses is offered', change);
};

/** What the table of clients says of this one alone. */
export const wishes: Readonly<Record<Wish, Check>> = {
  'scope-in-challenge': ({ walk }) =>
    (walk.challenge?.scopes.length ?? 0) > 0
      ? null
      : advice(
          'the 401 names no scope: it asks for every scope there is, or for none',
          'name the smallest scope in WWW-Authenticate: scope="…"',
        ),
  'scopes-in-server-metadata': ({ walk }) => {
    const known = strings(walk.serverMetadata?.document['scopes_supported']);
    const missing = walk.challenge?.scopes.filter((scope) => !known.includes(scope)) ?? [];
    if (missing.length === 0) return null;
    return blocking(
      `scopes that the authorization server’s metadata does not list: ${missing.join(' ')}`,
      'list them in its scopes_supported: this client asks for those alone and never for more',
    );
  },
  'in-ten-seconds': ({ walk }) => {
    const ms = walk.steps.reduce((sum, step) => sum + step.ms, 0);
    if (ms < 10_000) return null;
    return blocking(`discovery took ${Math.round(ms / 1000)} s; it gives up after 10`, 'answer faster');
  },
  'cross-origin': ({ walk }) => crossOrigin(walk.steps.find(({ method }) => method === 'OPTIONS')),
};

interface Preflight {
  readonly status: number;
  readonly headers: Headers;
}

/** Its direct mode runs in a page; its proxy mode needs none of this. */
function crossOrigin(preflight: Preflight | undefined): Finding | null {
  const allowed = preflight?.headers.get('access-control-allow-origin') ?? null;
  const headers = (preflight?.headers.get('access-control-allow-headers') ?? '').toLowerCase();
  const passes = preflight !== undefined && preflight.status >= 200 && preflight.status < 300;
  if (passes && allowed !== null && headers.includes('authorization')) return null;
  return advice(
    `pages of ${inspectorOrigin} may not call it: only its proxy mode connects`,
    `for direct mode, add ${inspectorOrigin} to http.allowedOrigins`,
  );
}

/** Where the Inspector serves its page. */
export const inspectorOrigin = 'http://localhost:6274';
