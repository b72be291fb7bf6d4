import { blocking, type Check, strings } from './finding.ts';
import type { ClientProfile } from './profiles.ts';
import { resourceMetadataUrl } from './walk.ts';

/** What stops a client before registration. In order: what is wrong further up makes the rest meaningless. */
export const discoveryChecks: readonly Check[] = [
  answers,
  challenges,
  hasResourceMetadata,
  namesTheResource,
  namesAnIssuer,
  hasServerMetadata,
  namesItself,
  supportsPkce,
];

function answers({ walk: { opening } }: Parameters<Check>[0]) {
  if (opening.status === 0) {
    return blocking(`the server cannot be asked: ${opening.failure}`, 'start it, or correct the URL');
  }
  if (opening.status >= 300 && opening.status < 400) {
    const to = opening.headers.get('location') ?? 'elsewhere';
    return blocking(
      `the URL redirects to ${to}`,
      'give people the URL that answers: clients send no token after a redirect',
    );
  }
  return null;
}

function challenges({ walk: { opening, challenge } }: Parameters<Check>[0]) {
  if (opening.status !== 401) {
    return blocking(
      `a request without a token is answered with ${opening.status}, not with 401`,
      'correct the URL, or let the server answer 401 with WWW-Authenticate',
    );
  }
  if (challenge !== null) return null;
  return blocking(
    'the 401 has no Bearer challenge',
    'answer with WWW-Authenticate: Bearer resource_metadata="…"',
  );
}

function hasResourceMetadata({ profile, target, walk }: Parameters<Check>[0]) {
  if (walk.resourceMetadata !== null || profile.withoutResourceMetadata === 'origin') return null;
  const url = resourceMetadataUrl('path', target, null);
  return blocking('no resource metadata (RFC 9728) where it looks', `serve the document at ${url}`);
}

function namesTheResource({ profile, target, walk }: Parameters<Check>[0]) {
  if (walk.resourceMetadata === null) return null;
  const { resource } = walk.resourceMetadata.document;
  if (typeof resource === 'string' && isSame(resource, target, profile.resource)) return null;
  return blocking(
    `the resource metadata is that of ${typeof resource === 'string' ? resource : 'no resource'}`,
    `set resource (publicUrl) to ${target.href}, or type the other URL`,
  );
}

function isSame(resource: string, target: URL, how: ClientProfile['resource']): boolean {
  if (how === 'exact') return resource === target.href;
  const bare = (url: string) => url.replace(/\/$/, '');
  if (bare(resource) === bare(target.href)) return true;
  return how === 'prefix' && `${bare(target.href)}/`.startsWith(`${bare(resource)}/`);
}

function namesAnIssuer({ walk }: Parameters<Check>[0]) {
  if (walk.issuer !== null) return null;
  return blocking('the resource metadata names no authorization server', 'list one in authorization_servers');
}

function hasServerMetadata({ walk }: Parameters<Check>[0]) {
  if (walk.serverMetadata !== null) return null;
  return blocking(
    `no metadata of the authorization server ${walk.issuer} where it looks`,
    'serve RFC 8414 metadata: the well-known part goes between host and path of the issuer',
  );
}

/** RFC 8414 section 3.3: a document of another issuer must not be used. */
function namesItself({ walk }: Parameters<Check>[0]) {
  const issuer = walk.serverMetadata?.document['issuer'];
  if (walk.resourceMetadata === null || issuer === walk.issuer) return null;
  return blocking(
    `the metadata of ${walk.issuer} says that it is ${typeof issuer === 'string' ? issuer : 'no issuer'}`,
    'write the issuer the same way in both documents, the slash at the end included',
  );
}

function supportsPkce({ walk }: Parameters<Check>[0]) {
  const methods = strings(walk.serverMetadata?.document['code_challenge_methods_supported']);
  if (methods.includes('S256')) return null;
  return blocking(
    'the authorization server does not say that it supports PKCE',
    'put "S256" into its code_challenge_methods_supported',
  );
}
